# SPDX-License-Identifier: LGPL-2.1-or-later
# hostile: a guest that breaks every rule of pools, and then of disks, one after the other, beside one
# that keeps them all. The offender gets its reason, the other's sessions go on, the manager stays up
# and its log short. Arguments: names of items, to run only those; disk:NAME is one of a disk.
. /testbed/lib.sh

xvdt=$(((1 << 28) + 19 * 256)) # as xl numbers it
console=/var/log/xen/console/guest-xentmem.log
rounds() { xenstore-read "/local/domain/$(domid good)/data/rounds"; }
# The friend's rounds go on counting, and none failed.
friend_goes_on() {
    local before=$(rounds)
    wait_for 60 friend_is_past "${before%% *}"
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
check "good has a disk" xl block-attach good "$(disk xvds swap/1M)"
check "bad is attached" xentmem attach bad || exit
check "good sees its disk" wait_for 30 guest_run good 'test -e /dev/xvds' || exit
guest_run good 'hostile friend /dev/xvds >/run/friend 2>&1 &'
check "good is served" wait_for 60 friend_is_past 0 || exit

run_item() { # NAME COMMAND
    local output
    step "$1"
    if output=$(guest_run -t 300 bad "$2" 2>&1); then
        ok "$1"
    else
        not_ok "$1" "$(echo "$output" | tail -n 1)"
    fi
    echo "$output" | sed 's/^/| /'
    check "good goes on after $1" friend_goes_on
}

items=${*:-$(guest_run bad 'hostile list')}
check "there are items" [ -n "$items" ] || exit
for item in $items; do
    case $item in
    stays | removes-its-folder | friend) ;; # below: they end the attachment
    disk:*) ;;
    *) run_item "$item" "hostile $item" ;;
    esac
done

step "bad has a disk, and no driver for it"
check "without the driver" guest_run bad 'rmmod xen_blkfront' || exit
check "a disk" xl block-attach bad "$(disk xvdt swap/8M)" || exit
items=${*:-$(guest_run bad 'hostile_disk list' | sed 's/^/disk:/')}
check "there are items of a disk" [ -n "$items" ] || exit
for item in $items; do
    case $item in
    disk:stays) ;; # below: it ends with the domain
    disk:*) run_item "$item" "hostile_disk ${item#disk:} $xvdt" ;;
    esac
done
[ $# -eq 0 ] || exit 0

step "bad takes its own folder away"
check "removes-its-folder" guest_run bad 'hostile removes-its-folder'
check "good goes on after removes-its-folder" friend_goes_on
check "bad is attached again" xentmem attach bad || exit

step "bad is destroyed under load, while its pages are mapped"
# How many runs of 8 pages the manager has mapped: as disk:stays sends them, or a pool's data.
runs_of_8() {
    guest_run xentmem 'grep gntdev /proc/$(pidof xentmemd)/maps' | while read -r range rest; do
        [ $((0x${range#*-} - 0x${range%-*})) != 32768 ] || echo "$range"
    done | wc -l
}
bad_is_served() { [ "$(xenstore-read "/local/domain/$(domid xentmem)/backend/$1/$(domid bad)/$2/state")" = 4 ]; }
is_mapped() { [ "$(runs_of_8)" -ge $((runs + 16)) ]; }
guest_spawn -t 300 bad 'hostile stays' >/dev/null
check "bad is served" wait_for 60 bad_is_served tmem 0
runs=$(runs_of_8)
note "before its disk is, $runs runs of 8 pages are mapped"
guest_spawn -t 300 bad "hostile_disk stays $xvdt" >/dev/null
check "and its disk is" wait_for 60 bad_is_served vbd $xvdt
check "with as many pages as there can be" wait_for 60 is_mapped
guest_destroy bad
check "it leaves no zombie" no_zombies 30
check "good goes on after bad's death" friend_goes_on

note "good's longest round took $(rounds | cut -d ' ' -f 3) ms"
check "the manager's daemon was never restarted" [ "$(grep -c 'xentmemd started' $console)" = 1 ]
lines=$(wc -l <$console)
note "the manager's console has $lines lines"
check "its log was not flooded" [ "$lines" -lt 1500 ]
guest_destroy good
xl destroy xentmem
check "nothing is left" no_zombies
