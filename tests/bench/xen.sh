# SPDX-License-Identifier: LGPL-2.1-or-later
# xen: gets and puts of a guest from its manager, beside libxenvchan from another guest. The
# manager, the client and the peer have one virtual processor each. Argument: rounds.
. /testbed/lib.sh

step "starting the manager, a client and a peer"
manager_config /run/xentmem.cfg 256
sed -i 's/^vcpus *=.*/vcpus = 1/' /run/xentmem.cfg
xl create -q /run/xentmem.cfg || exit
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
echo "$output" | while IFS= read -r line; do note "figure $line"; done
check "the bench ran to its end" [ $rc -eq 0 ]
