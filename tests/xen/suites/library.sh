# SPDX-License-Identifier: LGPL-2.1-or-later
# library: libxentmem in a guest, through the command that uses it: sizes of rings, one process an
# attachment, a process that is killed, limits that are named, and a manager that is restarted.
. /testbed/lib.sh

is_served() { # GUEST DEVICE
    [ "$(xenstore-read "/local/domain/$(domid xentmem)/backend/tmem/$(domid "$1")/$2/state" 2>/dev/null)" = 4 ]
}

step "starting the manager and a guest"
manager_config /run/xentmem.cfg 256
xl create -q /run/xentmem.cfg || exit
guest_create guest || exit
check "the manager runs" wait_for 120 manager_is_ready || exit
guest_ready guest && guest_ready xentmem || exit

step "a guest without a device"
at guest "xentmem pool list"
is "learns that there is no manager" [ $rc -eq 5 ]
check "the guest is attached" xentmem attach guest --quota 8M || exit

step "rings of every size"
at guest "xentmem pool create --persistent"
is "a pool is made" [ $rc -eq 0 ]
for order in 0 1 2 3; do
    at guest "xentmem bench -P 0 -s 1 -p 64 -d 40 --rings 2 --ring-order $order"
    is "two rings of $((1 << order)) pages" [ $rc -eq 0 ]
done
at guest "head -c 1000003 /dev/urandom >/tmp/file; xentmem put 0 name:file 0 /tmp/file &&
    xentmem get -l 1000003 0 name:file 0 /tmp/back && cmp /tmp/file /tmp/back"
is "a file goes there and comes back" [ $rc -eq 0 ]

step "one process an attachment"
job=$(guest_spawn -t 120 guest 'xentmem -q bench -s 110 & echo $! >/run/bench; wait')
check "the first one is served" wait_for 60 is_served guest 0
at guest "xentmem pool list"
is "a second one is told that it is in use" [ $rc -eq 2 ]
is "and by what" says xen-0.lock
at guest "kill -9 \$(cat /run/bench); xentmem get 0 name:file 0 >/tmp/back"
is "after a kill the next one is served" [ $rc -eq 0 ]
guest_wait -t 120 guest "$job" >/dev/null 2>&1

step "limits"
at guest "echo 100 >/sys/module/xen_gntalloc/parameters/limit; xentmem pool list"
is "pages that cannot be granted are an error" [ $rc -eq 2 ]
is "that names the limit" says parameters/limit
at guest "echo 1024 >/sys/module/xen_gntalloc/parameters/limit; xentmem pool list"
is "and once it is raised all is well" [ $rc -eq 0 ]

step "a grant table that is full"
# 1024 grants, the least that Linux starts with: room for three attachments, and not for four
GUEST_CONFIG='max_grant_frames = 2' guest_start small || exit
at dom0 'for n in 0 1 2 3; do xentmem attach small --device $n || exit; done'
is "a guest has four attachments" [ $rc -eq 0 ]
job=$(guest_spawn -t 200 small 'echo 4096 >/sys/module/xen_gntalloc/parameters/limit
    for n in 0 1 2; do xentmem -q -n $n bench -s 180 & done; wait')
three_are_served() { is_served small 0 && is_served small 1 && is_served small 2; }
check "three are served" wait_for 90 three_are_served
at small 'xentmem -n 3 pool list'
is "the fourth does not fit" [ $rc -eq 2 ]
is "and the error names the knob" says max_grant_frames
guest_destroy small # its gntalloc counts wrongly from now on (docs/operators-guide.md)

step "the daemon is killed under load, three times"
job=$(guest_spawn -t 180 guest "xentmem -q -j bench -P 0 -s 20 -p 512 -d 16")
for _ in 1 2 3; do
    sleep 4
    guest_run xentmem 'kill -9 $(pidof xentmemd)' || not_ok "the daemon is killed" "it cannot be"
done
out=$(guest_wait -t 180 guest "$job" 2>&1)
rc=$?
is "the load went on to its end" [ $rc -eq 0 ]
is "no page of a persistent pool is missed" [ "$(echo "$out" | grep -c '"missed": 0')" -eq 2 ]
at guest "xentmem get -l 1000003 0 name:file 0 /tmp/back && cmp /tmp/file /tmp/back"
is "the file is still there, byte for byte" [ $rc -eq 0 ]

step "the manager is destroyed"
xl destroy xentmem
at guest "xentmem pool list"
is "the guest learns that it is gone" [ $rc -eq 5 ]
guest_destroy guest
check "nothing is left" no_zombies
