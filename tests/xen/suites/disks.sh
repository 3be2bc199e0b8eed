# SPDX-License-Identifier: LGPL-2.1-or-later
# disks: a stock guest has disks from the manager, by its configuration and by block-attach. Data is verified
# while the daemon is killed; memory comes back; bad targets, late ones, detach, and death under load.
. /testbed/lib.sh

kills=3
console=/var/log/xen/console/guest-xentmem.log
vdev() { echo $(((1 << 28) + $1 * 256)); } # as xl numbers disks from xvdq on
xvds=$(vdev 18) xvdt=$(vdev 19) xvdu=$(vdev 20) xvdv=$(vdev 21)
node() { xenstore-read "$1" 2>/dev/null; }
back() { node "/local/domain/$m/backend/vbd/$g/$1/$2"; }
is_back() { [ "$(back "$1" "$2")" = "$3" ]; }
size_is() { [ "$(guest_run guest "cat /sys/block/$1/size")" = $(($2 * 2048)) ]; } # DISK MIB
is_waiting() { # since the daemon has come back
    [ "$(grep -c 'why="waits until' $console)" -ge 2 ] && is_back $xvdv state 2 &&
        [ "$(node "/local/domain/$m/backend/vbd/$before/$xvdv/state")" = 4 ]
}
mappings() { guest_run xentmem 'grep -c gntdev /proc/$(pidof xentmemd)/maps'; } # a ring is one
mappings_are() { [ "$(mappings)" = "$1" ]; }
has_folder() { xenstore-ls "/local/domain/$m/backend/vbd/${2:-$g}/$1"; } # DEVICE [DOMID]
no_folder() { ! has_folder "$@"; }
goes_on() { [ "$(disk_requests "${3:-guest}" "$1")" -gt "$2" ]; } # DISK COUNT [GUEST]

# Kill the daemon that many times at random moments, each time when DISK is served again.
kill_amid() { # DISK TIMES [GUEST]
    local number done guest=${3:-guest}
    for number in $(seq "$2"); do
        daemon_kill >/dev/null || not_ok "kill $number" "there is no daemon"
        done=$(disk_requests "$guest" "$1")
        note "kill $number: $1 has completed $done requests"
        wait_for 120 goes_on "$1" "$done" "$guest" || not_ok "$1 goes on after kill $number" "$(disk_requests "$guest" "$1")"
    done
}

step "starting the manager and a guest with two disks in its configuration"
manager_config /run/xentmem.cfg 384
xl create -q /run/xentmem.cfg || exit
check "the manager runs" wait_for 120 manager_is_ready || exit
GUEST_CONFIG="disk = [ '$(disk xvds swap/64M)', '$(disk xvdt swap/16M)' ]" guest_create guest || exit
agent ready "$(domid xentmem)" 180
guest_ready guest || exit
m=$(domid xentmem) g=$(domid guest)
check "the frontend is connected" is_back $xvds state 4
check "the guest sees its size" [ "$(guest_run guest 'cat /sys/block/xvds/size')" = $((64 * 2048)) ]

step "verified data on a raw disk, $kills kills meanwhile"
job=$(guest_spawn -t 300 guest 'disk_load device /dev/xvdt 280')
check "the load has begun" wait_for 60 goes_on xvdt 10
kill_amid xvdt $kills
guest_run guest ': >/run/stop' >/dev/null
output=$(guest_wait -t 300 guest "$job") && ok "all is as it was written: $output" || not_ok "the load" "$output"
held=$(pages_held)
note "pages held: $held"
check "they are the manager's" [ "$held" -gt 100 ]
check "a discard of all of it" guest_run guest 'blkdiscard /dev/xvdt'
check "gives all pages back" wait_for 20 holds_at_most 16

step "a process that needs more memory than there is"
at guest 'mkswap /dev/xvds && swapon -d /dev/xvds && grep xvds /proc/swaps'
is "the disk is its swap" [ $rc -eq 0 ]
job=$(guest_spawn -t 300 guest 'rm /run/stop; disk_load memory $(($(awk "\$1 == \"MemAvailable:\" { print \$2 }" /proc/meminfo) / 1024 + 32)) 1000')
begun=$(disk_requests guest xvds)
check "it is swapping" wait_for 100 goes_on xvds $((begun + 20))
kill_amid xvds 1
guest_run guest ': >/run/stop' >/dev/null
output=$(guest_wait -t 300 guest "$job") && ok "memory is as it was written: $output" || not_ok "memory" "$output"
note "pages held after the process has ended: $(pages_held)"
check "swapoff" guest_run guest 'swapoff /dev/xvds && blkdiscard /dev/xvds'
check "memory comes back" wait_for 20 holds_at_most 16

step "a disk becomes larger while the guest uses it"
job=$(guest_spawn -t 300 guest 'rm /run/stop; disk_load device /dev/xvdt 280')
check "the load has begun" wait_for 60 goes_on xvdt 10
check "from 16 to 24 MiB" xentmem disk resize guest:xvdt 24M
check "the guest sees its size" wait_for 20 size_is xvdt 24
check "and the list says so" [ "$(xentmem --json disk list | grep -c '"pages": 6144')" = 1 ]
check "what is new reads as zeros" guest_run guest 'dd if=/dev/xvdt bs=1M skip=16 count=8 2>/dev/null | cmp -n 8388608 - /dev/zero'
check "the guest writes there" guest_run guest 'head -c 4194304 /dev/urandom >/run/new &&
    dd if=/run/new of=/dev/xvdt bs=1M seek=20 conv=notrunc,fsync'
kill_amid xvdt 1
check "the size outlives the daemon" size_is xvdt 24
check "and so does what was written" guest_run guest 'echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/xvdt bs=1M skip=20 count=4 2>/dev/null | cmp - /run/new'
guest_run guest ': >/run/stop' >/dev/null
output=$(guest_wait -t 300 guest "$job") && ok "all is as it was written: $output" || not_ok "the load" "$output"
check "it is not made smaller" [ "$(xentmem disk resize guest:xvdt 16M >/dev/null 2>&1; echo $?)" = 4 ]
check "a swap disk of 96 MiB for 64, and the daemon is killed" xentmem disk resize guest:xvds 96M
guest_run xentmem 'kill -9 $(pidof xentmemd)' >/dev/null
check "the guest sees its size" wait_for 60 size_is xvds 96
check "it is swap of that size" guest_run guest 'mkswap /dev/xvds && swapon -d /dev/xvds && grep "xvds.*98300" /proc/swaps && swapoff /dev/xvds'
check "a discard of all of both" guest_run guest 'blkdiscard /dev/xvdt && blkdiscard /dev/xvds && rm /run/new'
check "gives all pages back" wait_for 20 holds_at_most 16

step "attach and detach"
check "a third disk" xl block-attach guest "$(disk xvdu swap/8M)"
check "it appears in the guest" wait_for 20 guest_run guest 'test -e /sys/block/xvdu'
check "it keeps what is written" guest_run guest 'head -c 40000 /dev/urandom >/run/file &&
    dd if=/run/file of=/dev/xvdu bs=4000 conv=fsync && echo 3 >/proc/sys/vm/drop_caches && cmp -n 40000 /run/file /dev/xvdu'
check "detach" xl block-detach guest xvdu
check "its nodes are gone" wait_for 20 no_folder $xvdu
check "a bad target is refused" [ "$(xl block-attach guest "$(disk xvdu swap/17K)" >/dev/null 2>&1; echo $?)" != 0 ]
check "the reason is in node error" [ "$(back $xvdu error)" = "target: the size is not a multiple of 4K" ]
check "what is left of it can be detached" xl block-detach guest xvdu
check "its nodes are gone" wait_for 20 no_folder $xvdu

step "a kept clone that two domains want: the guest is saved, and restored beside itself, as when it is migrated"
head -c 300000 /dev/urandom >/run/base
check "a base" xentmem base import base /run/base
check "a device without an end is none" [ "$(xentmem base import zero /dev/zero 2>&1)" = "xentmem: /dev/zero: neither a file nor a block device" ]
check "the guest has a clone of it" xl block-attach guest "$(disk xvdv clone/base/kept)"
check "it appears in the guest" wait_for 20 guest_run guest 'test -e /sys/block/xvdv'
check "the guest writes to it" guest_run guest 'dd if=/run/file of=/dev/xvdv bs=4000 conv=fsync'
xl save -p guest /run/saved >/dev/null 2>&1 && xl rename guest before && xl restore /run/saved >/dev/null 2>&1
is "it is restored while the old domain has the disk" [ $? -eq 0 ]
before=$g g=$(domid guest)
check "the new domain waits" is_back $xvdv state 2
check "for whom is in node error" [ "$(back $xvdv error)" = "waits until domain $before lets the disk go" ]
guest_run xentmem 'kill -9 $(pidof xentmemd)' >/dev/null
check "a new daemon leaves the disk to the old domain" wait_for 60 is_waiting
guest_destroy before
check "it is served when the old domain is gone" wait_for 60 is_back $xvdv state 4
check "the disk is what it was" guest_run -t 180 guest 'echo 3 >/proc/sys/vm/drop_caches; cmp -n 40000 /run/file /dev/xvdv'
check "detach" xl block-detach guest xvdv
check "its nodes are gone" wait_for 20 no_folder $xvdv
check "it is kept until somebody removes it" xentmem disk rm kept
check "and so is its base" xentmem base rm base

step "an attach while the manager does not answer"
xl pause xentmem
check "fails after a while" [ "$(xl block-attach guest "$(disk xvdu swap/8M)" >/dev/null 2>&1; echo $?)" != 0 ]
xl unpause xentmem
check "is served as soon as it does" wait_for 60 is_back $xvdu state 4
check "and can be detached" xl block-detach guest xvdu
check "its nodes are gone" wait_for 20 no_folder $xvdu

step "a guest with two processors and larger rings"
guest_start wide "$guest_type" 2 224 || exit
w=$(domid wide)
check "the driver is loaded for rings of eight pages" guest_run wide \
    'rmmod xen_blkfront && insmod "$(grep blkfront /lib/modules/load-order)" max_ring_page_order=3'
check "a disk" xl block-attach wide "$(disk xvds swap/16M)"
check "it appears in the guest" wait_for 20 guest_run wide 'test -e /sys/block/xvds'
check "it has a queue for each processor" [ "$(guest_run wide 'ls /sys/block/xvds/mq | wc -l')" = 2 ]
check "the frontend has written so" [ "$(node "/local/domain/$w/device/vbd/$xvds/multi-queue-num-queues")" = 2 ]
check "and rings of eight pages" [ "$(node "/local/domain/$w/device/vbd/$xvds/ring-page-order")" = 3 ]
check "and the manager has taken them up" grep -q "attach dom=$w vbd=$xvds queues=2 order=3" $console
job=$(guest_spawn -t 300 wide 'disk_load device /dev/xvds 280')
check "the load has begun" wait_for 60 goes_on xvds 10 wide
kill_amid xvds 1 wide
guest_run wide ': >/run/stop' >/dev/null
output=$(guest_wait -t 300 wide "$job") && ok "all is as it was written: $output" || not_ok "the load" "$output"
check "both queues have worked" guest_run wide \
    'grep blkif /proc/interrupts; [ "$(awk "/blkif/ && \$2 + \$3 > 10" /proc/interrupts | wc -l)" = 2 ]'
mapped=$(mappings)
check "detach" xl block-detach wide xvds
check "its nodes are gone" wait_for 20 no_folder $xvds "$w"
others=$(mappings)
note "mappings of a guest that grants for good: $((mapped - others))"
check "pages of it were mapped, beside both rings" [ $mapped -gt $((others + 2)) ]
check "a driver that grants for each request" guest_run wide \
    'rmmod xen_blkfront && insmod "$(grep blkfront /lib/modules/load-order)" feature_persistent=0'
check "a disk" xl block-attach wide "$(disk xvds swap/16M)"
check "it appears in the guest" wait_for 20 guest_run wide 'test -e /sys/block/xvds'
job=$(guest_spawn -t 300 wide 'rm /run/stop; blkdiscard /dev/xvds; disk_load device /dev/xvds 280')
check "the load has begun" wait_for 60 goes_on xvds 100 wide
guest_run wide ': >/run/stop' >/dev/null
output=$(guest_wait -t 300 wide "$job") && ok "all is as it was written: $output" || not_ok "the load" "$output"
check "only its rings are mapped" mappings_are $((others + 2))

step "the next guest of that number has a disk before the manager hears that the one before is gone"
check "the guest writes to its disk" guest_run wide 'tr "\0" x </dev/zero | head -c 1048576 | dd of=/dev/xvds bs=64K conv=fsync'
check "detach" xl block-detach wide xvds
check "its nodes are gone" wait_for 20 no_folder $xvds "$w"
xl pause xentmem
guest_destroy wide
sleep 1 # as xentmem start does
XENTMEM_DOMID=$w LIBXL_DOMID_REUSE_TIMEOUT=0 LD_PRELOAD=/usr/lib/xentmem/same-domid.so guest_create next
check "it has that number" [ "$(domid next)" = "$w" ]
xl block-attach next "$(disk xvds swap/16M)" &
wait_for 20 has_folder $xvds "$w"
xl unpause xentmem
wait $! && ok "a disk" || not_ok "a disk" "xl block-attach"
guest_ready next
check "it appears in the guest" wait_for 20 guest_run next 'test -e /sys/block/xvds'
check "nothing is in it" guest_run next 'cmp -n 1048576 /dev/xvds /dev/zero'
guest_destroy next

step "the guest is destroyed under load"
guest_spawn -t 120 guest 'rm /run/stop; disk_load device /dev/xvdt 100' >/dev/null
check "the load has begun" wait_for 60 goes_on xvdt 10
guest_destroy guest
check "it leaves no zombie" no_zombies 30
check "its nodes are gone" wait_for 30 no_folder $xvdt
check "its disk is gone, too" wait_for 30 holds_at_most 16
check "every counter agrees with a full scan" xentmem stats --check
check "nothing but the kills ended the daemon" [ "$(grep -c 'xentmemd started' $console)" = $((kills + 6)) ]
