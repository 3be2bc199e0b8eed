# SPDX-License-Identifier: LGPL-2.1-or-later
# hostile: a guest that breaks every rule, one after the other, beside one that keeps them all. The
# offender gets its reason, the other's session goes on, the manager stays up and its log short.
# Arguments: names of items, to run only those.
. /testbed/lib.sh

console=/var/log/xen/console/guest-xentmem.log
rounds() { xenstore-read "/local/domain/$(domid good)/data/rounds"; }
# The friend's rounds go on counting, and none failed.
friend_goes_on() {
    local before=$(rounds)
    wait_for 60 friend_is_past "${before% *}"
}
friend_is_past() { rounds | awk -v n="$1" '{ exit !($2 == "ok" && $1 > n) }'; }

step "starting the manager and two guests"
# few maptrack frames
manager_config /run/xentmem.cfg 160
sed -i 's/^vcpus *=.*/vcpus = 1/; s/^max_maptrack_frames *=.*/max_maptrack_frames = 2/' /run/xentmem.cfg
xl create -q /run/xentmem.cfg || exit
guest_create good && guest_create bad || exit
check "the manager runs" wait_for 120 manager_is_ready || exit
guest_ready good && guest_ready bad || exit
check "good is attached" xentmem attach good --quota 1M || exit
check "bad is attached" xentmem attach bad || exit
guest_run good 'hostile friend >/run/friend 2>&1 &'
check "good is served" wait_for 60 friend_is_past 0 || exit

items=${*:-$(guest_run bad 'hostile list')}
for item in $items; do
    case $item in
    stays | removes-its-folder | friend) continue ;; # below: they end the attachment
    esac
    step "$item"
    output=$(guest_run -t 300 bad "hostile $item" 2>&1)
    if [ $? -eq 0 ]; then ok "$item"; else not_ok "$item" "$(echo "$output" | tail -n 1)"; fi
    echo "$output" | sed 's/^/| /'
    check "good goes on after $item" friend_goes_on
done
[ $# -eq 0 ] || exit

step "bad takes its own folder away"
check "removes-its-folder" guest_run bad 'hostile removes-its-folder'
check "good goes on after removes-its-folder" friend_goes_on
check "bad is attached again" xentmem attach bad || exit

step "bad is destroyed under load, while its pages are mapped"
job=$(guest_spawn -t 300 bad 'hostile stays')
state_of_bad() { [ "$(xenstore-read "/local/domain/$(domid xentmem)/backend/tmem/$(domid bad)/0/state")" = 4 ]; }
check "bad is served" wait_for 60 state_of_bad
guest_destroy bad
check "it leaves no zombie" no_zombies 30
check "good goes on after bad's death" friend_goes_on

check "the manager's daemon was never restarted" [ "$(grep -c 'xentmemd started' $console)" = 1 ]
lines=$(wc -l <$console)
note "the manager's console has $lines lines"
check "its log was not flooded" [ "$lines" -lt 1500 ]
guest_destroy good
xl destroy xentmem
check "nothing is left" no_zombies
