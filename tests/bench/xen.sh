# SPDX-License-Identifier: LGPL-2.1-or-later
# xen: gets and puts of a guest from its manager, beside libxenvchan from another guest; and a disk
# from the manager beside one from dom0's xen-blkback. Every domain has one virtual processor.
# Argument: rounds.
. /testbed/lib.sh

step "starting the manager, a client and a peer"
manager_config /run/xentmem.cfg 256
sed -i 's/^vcpus *=.*/vcpus = 1/' /run/xentmem.cfg
xl create -q /run/xentmem.cfg || exit
# As xl has it on a machine that says that its counter is invariant, which an emulated one does not.
GUEST_CONFIG='tsc_mode = "native"'
guest_create client || exit
guest_create peer || exit
check "the manager runs" wait_for 120 manager_is_ready || exit
guest_ready client && guest_ready peer || exit
check "the client is attached" xentmem attach client --quota 64M || exit

step "measuring"
guest_spawn -t 3000 peer "xen_bench serve $(domid client)" >/dev/null
offers() { xenstore-read "/local/domain/$(domid peer)/data/vchan/event-channel"; }
check "the peer offers its channel" wait_for 30 offers || exit
output=$(guest_run -t 3000 client "echo 4096 >/sys/module/xen_gntalloc/parameters/limit
    xen_bench measure $(domid peer) ${1:-5}")
rc=$?
figures() { while IFS= read -r line; do note "figure $line"; done; }
echo "$output" | figures
check "the bench ran to its end" [ $rc -eq 0 ]

step "measuring disks"
dom0_hotplug_script
mib=$(($(cat /sys/block/ram0/size) / 2048))
check "a disk of the manager's" xl block-attach client "format=raw,vdev=xvds,access=rw,backend=xentmem,target=swap/${mib}M"
check "a RAM disk of dom0's" xl block-attach client "format=raw,vdev=xvdt,access=rw,target=/dev/ram0"
for disk in xvds xvdt; do check "the client has $disk" wait_for 30 guest_run client "test -e /dev/$disk" || exit; done
output=$(guest_run -t 3000 client "blk_bench /dev/xvds /dev/xvdt ${1:-5}")
rc=$?
echo "$output" | figures
check "the bench of disks ran to its end" [ $rc -eq 0 ]
