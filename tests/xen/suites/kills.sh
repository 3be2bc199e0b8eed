# SPDX-License-Identifier: LGPL-2.1-or-later
# kills: the manager's daemon is killed twenty times while two guests use it (rule C32). Each guest judges
# every answer against what it was told before, and looks everything up at the end.
. /testbed/lib.sh

kills=20
console=/var/log/xen/console/guest-xentmem.log
cache=cacacaca-caca-caca-caca-cacacacacaca
common_of_a=c0c0c0c0-c0c0-c0c0-c0c0-c0c0c0c0c0c0
common_of_b=c1c1c1c1-c1c1-c1c1-c1c1-c1c1c1c1c1c1

step "starting the manager and two guests"
manager_config /run/xentmem.cfg 256
xl create -q /run/xentmem.cfg || exit
guest_create a || exit
guest_create b || exit
check "the manager runs" wait_for 120 manager_is_ready || exit
guest_ready a && guest_ready b && agent ready "$(domid xentmem)" 180 || exit
for name in a b; do check "$name is attached" xentmem attach $name --quota 4M || exit; done
at dom0 "xentmem set $cache max=1M && xentmem allow $cache a && xentmem allow $cache b"
is "both may fill a shared pool" [ $rc -eq 0 ]
at dom0 "xentmem set $common_of_a quota=256K && xentmem allow $common_of_a a &&
    xentmem set $common_of_b quota=256K && xentmem allow $common_of_b b"
is "each may fill a persistent one" [ $rc -eq 0 ]

operations() { xenstore-read "/local/domain/$(domid "$1")/data/operations" 2>/dev/null; }
goes_on() { [ "$(operations "$1")" -gt "$2" ]; }

step "$kills kills under load"
job_a=$(guest_spawn -t 1400 a 'guest_load 0')
job_b=$(guest_spawn -t 1400 b 'guest_load 1')
check "a has begun" wait_for 60 goes_on a 0 || exit
check "b has begun" wait_for 60 goes_on b 0 || exit
for number in $(seq $kills); do
    # PID 1 waits a little before it starts one that did not live long
    daemon_kill >/dev/null || not_ok "kill $number" "there is no daemon"
    sleep 0.3 # what was done before the kill is written by then
    done_a=$(operations a) done_b=$(operations b)
    note "kill $number: a has done $done_a operations, b $done_b"
    # both are served again: kills that come faster than that prove nothing
    wait_for 120 goes_on a "$done_a" && wait_for 120 goes_on b "$done_b" ||
        not_ok "both go on after kill $number" "a $(operations a), b $(operations b)"
done
was_killed() { [ "$(grep -c 'xentmemd started' $console)" = $((kills + 1)) ]; }
check "the daemon was killed $kills times" wait_for 60 was_killed

step "looking everything up"
for name in a b; do guest_run $name ': >/run/stop'; done
output=$(guest_wait -t 300 a "$job_a") && ok "c32_of_a: what it was promised was found: $output" || not_ok "c32_of_a" "$output"
output=$(guest_wait -t 300 b "$job_b") && ok "c32_of_b: what it was promised was found: $output" || not_ok "c32_of_b" "$output"
check "every counter agrees with a full scan" xentmem stats --check
