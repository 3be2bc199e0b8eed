# SPDX-License-Identifier: LGPL-2.1-or-later
# swap: a guest of 160 MiB works on 400 MiB of data that it knows, over a disk of the manager's, its programs come from another
# one, and the daemon is killed meanwhile. Nothing is mistaken, hangs or is lost, and memory comes back.
#   swap [KILLS]
. /testbed/lib.sh

kills=${1:-8}
image=/testbed/root.img
swapped() { guest_run -t 300 guest "awk '/xvds/ { print int(\$4 / 4) }' /proc/swaps"; }
requests_after() { [ "$(disk_requests guest xvds)" -gt "$1" ]; }

# Each time when the disk is served again, so that every daemon takes up requests of the one before
kill_amid() { # TIMES WHAT
    local number done
    for number in $(seq "$1"); do
        daemon_kill >/dev/null || not_ok "kill $number" "there is no daemon"
        done=$(disk_requests guest xvds)
        note "kill $number amid $2: $done requests are done"
        wait_for 300 requests_after "$done" || { not_ok "it goes on after kill $number" "$(disk_requests guest xvds)"; return; }
    done
}
ends_well() { # NAME JOB
    local output
    output=$(guest_wait -t 1200 guest "$2") && ok "$1: $output" || not_ok "$1" "status $?: $output"
}
unharmed() { guest_run -t 300 guest '! dmesg | grep -i "out of memory\|oom-kill\|i/o error\|blocked for more"'; }

step "starting the manager and a guest with a disk to swap to"
manager_config /run/xentmem.cfg 640
xl create -q /run/xentmem.cfg || exit
check "the manager runs" wait_for 120 manager_is_ready || exit
check "a base is imported" xentmem base import root $image || exit
GUEST_CMDLINE=root=/dev/xvda GUEST_CONFIG="disk = [ '$(disk xvda clone/root)', '$(disk xvds swap/512M)' ]" guest_create guest || exit
guest_ready guest && agent ready "$(domid xentmem)" 180 || exit
before=$(pages_held)
# reads of 32 pages: each request waits for the processor, of which an emulated machine has few
check "it swaps to the manager's memory" guest_run guest 'echo 5 >/proc/sys/vm/page-cluster; mkswap /dev/xvds && swapon -d /dev/xvds && grep xvds /proc/swaps' || exit
check "it has 160 MiB" [ "$(guest_run guest "awk '/MemTotal/ { print int(\$2 / 1024) }' /proc/meminfo")" -lt 160 ]

step "400 MiB of data in 160 MiB of memory"
job=$(guest_spawn -t 3600 guest 'disk_load memory 400 1000')
check "it is swapping" wait_for 120 requests_after 100
kill_amid $((kills - kills / 4)) "400 MiB"
guest_run -t 300 guest ': >/run/stop' || not_ok "the guest answers" "status $?"
ends_well "every page was as it was written" "$job"
held=$(pages_held) used=$(swapped)
note "when the process has ended: $used pages swapped out, $((held - before)) held"

step "stress-ng verifies memory"
# 3840 operations of this method fill these 120 MiB, then all is looked at
job=$(guest_spawn -t 3600 guest 'rm /run/stop; n=0; until [ -e /run/stop ]; do
    stress-ng --vm 1 --vm-bytes 120M --vm-method rand-set --verify --vm-ops 4000 -t 1200 >/run/log 2>&1 || { cat /run/log; exit 1; }
    n=$((n + 1)); done; echo "$n times"')
done=$(disk_requests guest xvds)
check "it is swapping" wait_for 120 requests_after $((done + 100))
kill_amid $((kills / 4)) stress-ng
guest_run -t 300 guest ': >/run/stop' || not_ok "the guest answers" "status $?"
ends_well "it found nothing" "$job"
check "no process was lost, no request failed" unharmed

step "memory comes back"
held=$(pages_held) used=$(swapped)
note "when all have ended: $used pages swapped out, $((held - before)) held"
check "swapoff" guest_run -t 600 guest 'swapoff /dev/xvds'
note "after swapoff: $(($(pages_held) - before)) held"
check "a discard" guest_run guest 'blkdiscard /dev/xvds'
check "gives all back" wait_for 20 holds_at_most $((before + 64))
note "after a discard of the disk: $(($(pages_held) - before)) held, by the guest's root"
check "every counter agrees with a full scan" xentmem stats --check
check "nothing but the kills ended the daemon" [ "$(daemon_starts)" = $((kills + 1)) ]
