# SPDX-License-Identifier: LGPL-2.1-or-later
# attach: the life of an attachment between the manager's domain and a guest: handshake, a process that
# closes and one that dies, a daemon that is killed, both in PVH (in PV where that is what the others
# run), a manager in dom0, shutdown and death of each side.
. /testbed/lib.sh

node() { xenstore-read "$1" 2>/dev/null; }
back() { node "/local/domain/$m/backend/tmem/$g/0/$1"; }
state_is() { [ "$(back state)" = "$1" ]; }
says() { guest_run guest "$1" 2>&1 | grep -q "$2"; }
owner_of() { xenstore-ls -f -p "$1" | head -n 1 | sed 's/.*(\(.*\))/\1/'; }
is_gone() { ! xl list "$1" >/dev/null 2>&1; }
manager_start() { # TYPE
    manager_config /run/xentmem.cfg 160
    sed -i "s/^vcpus *=.*/vcpus = 1/; s/^type *=.*/type = \"$1\"/" /run/xentmem.cfg
    xl create -q /run/xentmem.cfg
}
epoch_is_past() { [ "$(back epoch)" -gt "$1" ]; }
# of the daemon's last line that says ready
ready_says() { sed -n "s/.*notice: ready .*$1=\([0-9]*\).*/\1/p" /var/log/xen/console/guest-xentmem.log | tail -n 1; }
least() { [ "$1" -lt "$2" ] && echo "$1" || echo "$2"; }

step "starting the manager and a guest"
manager_start $guest_type || exit
guest_create guest || exit
check "the manager announces itself" wait_for 120 manager_is_ready || exit
guest_ready guest && agent ready "$(domid xentmem)" 180 || exit
m=$(domid xentmem) g=$(domid guest)

step "looking"
is_ready() { [ -n "$(ready_says notify_ns)" ]; }
check "the log says that it is ready" wait_for 60 is_ready || exit
notify_ns=$(ready_says notify_ns) poll_us=$(ready_says poll_us)
note "a notification costs the manager $notify_ns ns; it looks for $poll_us us"
check "what a notification costs is found" [ "$notify_ns" -gt 0 ]
check "a look is at least as long as 64 of them, or as 8 ms" [ "$poll_us" -ge "$(least 8000 $((64 * notify_ns / 1000)))" ]

step "handshake"
check "attach" xentmem attach guest --quota 4M || exit
check "the backend offers and waits" state_is 2
check "a version" [ "$(back versions)" = 1 ]
check "the backend's folder is the manager's, for the guest to read" \
    [ "$(owner_of "/local/domain/$m/backend/tmem/$g/0")" = "n$m,r$g" ]
check "the frontend's folder is the guest's, for the manager to read" \
    [ "$(owner_of "/local/domain/$g/device/tmem/0")" = "n$g,r$m" ]
check "policy is dom0's, for the manager to read" \
    [ "$(owner_of "/local/domain/$m/xentmem/guest/$g/0")" = "n0,r$m" ]
check "a pool is made" says 'xentmem pool create --persistent' 0
guest_run guest 'head -c 40000 /dev/urandom >/run/file && xentmem put 0 name:file 0 /run/file' >/dev/null
check "a process closed; the backend waits for the next" wait_for 30 state_is 2
check "the next one finds the pages" \
    guest_run guest 'xentmem get -l 40000 0 name:file 0 /run/back && cmp /run/file /run/back'

step "a process that is killed"
job=$(guest_spawn -t 120 guest 'xentmem -q bench -P 0 -s 110 & echo $! >/run/bench; wait')
check "it was served" wait_for 60 state_is 4
guest_run guest 'kill -9 $(cat /run/bench)'
check "its end is noticed" wait_for 60 state_is 6
guest_wait -t 120 guest "$job" >/dev/null 2>&1
check "nothing of it is mapped: the next process is served" \
    guest_run guest 'xentmem get -l 40000 0 name:file 0 /run/back && cmp /run/file /run/back'

step "the daemon is killed while a process waits"
epoch=$(back epoch)
job=$(guest_spawn -t 180 guest 'xentmem -q -j bench -P 0 -s 15 -p 64 -d 8')
check "a load is served" wait_for 60 state_is 4
guest_run xentmem 'kill -9 $(pidof xentmemd)'
check "a new incarnation serves" wait_for 60 epoch_is_past "$epoch"
check "the load went on to its end" guest_wait -t 180 guest "$job"
check "the file is still there" \
    guest_run guest 'xentmem get -l 40000 0 name:file 0 /run/back && cmp /run/file /run/back'

step "the guest is destroyed while it is served"
guest_spawn -t 120 guest 'xentmem -q bench -s 60' >/dev/null
check "it is served" wait_for 60 state_is 4
guest_destroy guest
check "it leaves no zombie" no_zombies 30
no_folder() { ! xenstore-ls "/local/domain/$m/backend/tmem/$g/0"; }
check "the manager has removed its nodes" wait_for 30 no_folder

step "the manager is shut down by the toolstack"
xl shutdown xentmem
check "it powers off" wait_for 90 is_gone xentmem

other=$([ $guest_type = pvh ] && echo pv || echo pvh)
step "the manager and the guest in $other"
there_and_back() {
    guest_destroy xentmem && guest_destroy guest && manager_start $other && guest_create guest $other &&
        wait_for 120 manager_is_ready && guest_ready guest && xentmem attach guest --quota 4M &&
        guest_run guest 'xentmem pool create --persistent && echo there and back >/run/page &&
            xentmem put 0 1 0 /run/page && xentmem get 0 1 0 | grep -q "there and back"'
}
check "a page goes there and comes back" despite_emulator there_and_back
# a PV domain has no huge pages
[ $other = pv ] || check "its frames are in huge pages" guest_run xentmem "grep -E 'ShmemPmdMapped: +[1-9]' /proc/meminfo"
xl destroy xentmem
check "the guest learns that its manager is gone" guest_run guest 'xentmem pool list; [ $? -eq 5 ]'
guest_destroy guest

step "the manager in dom0"
modprobe xen-gntdev 2>/dev/null
modprobe xen-evtchn 2>/dev/null
xentmemd --xen --memory 16M --socket /run/xentmem.sock >/run/xentmemd.log 2>&1 &
daemon=$!
ready_in_dom0() { node /local/domain/0/data/xentmem/ready; }
check "it announces itself" wait_for 60 ready_in_dom0 || tail /run/xentmemd.log
guest_start guest || exit
check "attach" xentmem attach guest --quota 4M || exit
check "a page goes there and comes back" guest_run guest 'xentmem pool create --persistent &&
    echo there and back >/run/page && xentmem put 0 1 0 /run/page && xentmem get 0 1 0 | grep -q "there and back"'
guest_destroy guest
check "the guest leaves no zombie" no_zombies 30
kill $daemon
wait $daemon
check "nothing says ready any more" [ -z "$(ready_in_dom0)" ]
