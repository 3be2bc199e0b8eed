# SPDX-License-Identifier: LGPL-2.1-or-later
# quickstart: what the product is for, shown with the commands of a user.
#
# Commands are shown as they are typed; `alice#` is a guest's shell, `dom0#` the
# operator's. The same is a test: what does not come out as shown fails.
. /testbed/lib.sh

shared=6ba7b810-9dad-11d1-80b4-00c04fd430c8
kept=6ba7b811-9dad-11d1-80b4-00c04fd430c8

step "starting the manager: xl create /etc/xen/xentmem.cfg"
free_at_start=$(xen_free)
[ $guest_type = pvh ] || note "in PV: this machine emulates, and its emulator loses interrupts of PVH guests"
xl create -q /etc/xen/xentmem.cfg memory=256 "type=\"$guest_type\"" || exit
check "the manager runs" wait_for 120 manager_is_ready || exit

step "starting three guests"
for name in alice bob carol; do guest_create $name || exit; done
for name in alice bob carol; do guest_ready $name || exit; done
ok "alice, bob and carol run"

step "attaching them"
at dom0 "xentmem attach alice --quota 1M --max 1M"; is "alice is attached" [ $rc -eq 0 ]
at dom0 "xentmem attach bob"; is "bob is attached" [ $rc -eq 0 ]
at dom0 "xentmem attach carol"; is "carol is attached" [ $rc -eq 0 ]

step "a private ephemeral pool: a second-chance cache"
at alice "xentmem pool create"; cache=$out; is "a pool is made" [ $rc -eq 0 ]
at alice "head -c 4096 /dev/urandom >/tmp/page; xentmem put $cache 7 0 /tmp/page"
is "a page is put" [ $rc -eq 0 ]
at alice "xentmem get $cache 7 0 /tmp/back && cmp /tmp/page /tmp/back"
is "a get returns it" [ $rc -eq 0 ]
at alice "xentmem get $cache 7 0 /tmp/back"
is "and takes it out: the second get misses" [ $rc -eq 3 ]
at alice "head -c 2097152 /dev/urandom | xentmem put $cache 8 0"
is "2 MiB are put into a pool of 1 MiB" [ $rc -eq 0 ]
at alice "xentmem --json pool info $cache"
evicted=$(echo "$out" | sed -n 's/.*"evictions": *\([0-9]*\).*/\1/p')
is "and ${evicted:-no} pages were evicted for them" [ "${evicted:-0}" -ge 256 ]

step "a private persistent pool: what was accepted stays"
at alice "xentmem pool create --persistent"; store=$out; is "a pool is made" [ $rc -eq 0 ]
at alice "head -c 1048576 /dev/urandom >/tmp/file; xentmem put $store 1 0 /tmp/file"
is "1 MiB is accepted, the whole quota" [ $rc -eq 0 ]
at alice "head -c 4096 /dev/urandom | xentmem put $store 2 0"
is "one page more is refused" [ $rc -eq 4 ]
at alice "xentmem get $store 1 0-255 /tmp/back && cmp /tmp/file /tmp/back"
is "and nothing is lost" [ $rc -eq 0 ]

step "a shared ephemeral pool of alice and bob"
at dom0 "xentmem allow $shared alice fill && xentmem allow $shared bob fill"
is "the operator allows alice and bob" [ $rc -eq 0 ]
at alice "xentmem pool join $shared"; ours=$out; is "alice joins" [ $rc -eq 0 ]
at bob "xentmem pool join $shared"; theirs=$out; is "bob joins" [ $rc -eq 0 ]
at alice "echo hello from alice | xentmem put $ours name:greeting 0"; is "alice puts" [ $rc -eq 0 ]
at bob "xentmem get $theirs name:greeting 0 | head -n 1"
is "bob gets" [ "$out" = "hello from alice" ]
at bob "xentmem flush $theirs name:greeting 0"; is "bob flushes" [ $rc -eq 0 ]
at alice "xentmem get $ours name:greeting 0 /tmp/back"; is "alice misses" [ $rc -eq 3 ]
at bob "xentmem get $theirs name:greeting 0 /tmp/back"; is "bob misses" [ $rc -eq 3 ]
at carol "xentmem pool join $shared"
show
is "carol is refused: the operator did not allow her" [ $rc -eq 4 ]

step "a shared persistent pool"
at dom0 "xentmem set $kept quota=1M && xentmem allow $kept alice fill && xentmem allow $kept bob read"
is "the operator grants it a quota and members" [ $rc -eq 0 ]
at alice "xentmem pool join $kept --persistent"; ours=$out; is "alice joins" [ $rc -eq 0 ]
at alice "echo kept for bob | xentmem put $ours 1 0"; is "alice puts" [ $rc -eq 0 ]
at bob "xentmem pool join $kept --persistent"; theirs=$out; is "bob joins to read" [ $rc -eq 0 ]
at bob "xentmem get $theirs 1 0 | head -n 1"; is "bob gets" [ "$out" = "kept for bob" ]
at bob "echo mine | xentmem put $theirs 1 0"; is "bob may not put" [ $rc -eq 4 ]

step "disks from the manager, for guests that know nothing of it"
at dom0 "xl block-attach alice '$(disk xvds swap/64M)'"; is "alice has a disk to swap to" [ $rc -eq 0 ]
check "it appears" wait_for 30 guest_run alice 'test -b /dev/xvds'
at alice "mkswap /dev/xvds && swapon -d /dev/xvds && cat /proc/swaps"
show
is "she swaps to the manager's memory" [ $rc -eq 0 ]
at dom0 "seq 1000000 >/tmp/numbers && xentmem base import numbers /tmp/numbers"
is "the operator imports an image" [ $rc -eq 0 ]
for name in alice bob; do
    at dom0 "xl block-attach $name '$(disk xvdt clone/numbers)'"; is "$name has a clone of it" [ $rc -eq 0 ]
    check "it appears" wait_for 30 guest_run $name 'test -b /dev/xvdt'
done
at bob "echo written by bob | dd of=/dev/xvdt conv=fsync && head -n 1 /dev/xvdt"
is "bob writes to his" [ $rc -eq 0 ]
at alice "head -n 1 /dev/xvdt"; is "alice's is as it was" [ "$out" = 1 ]
at dom0 "xentmem freeze bob:xvdt numbers-of-bob && xentmem list disks"
show
is "what bob has is a base of its own now" [ $rc -eq 0 ]

step "a guest is destroyed in the middle of its work"
free_before=$(xen_free)
guest_spawn carol "xentmem bench" >/dev/null
sleep 3
at dom0 "xl destroy carol"; is "carol is destroyed" [ $rc -eq 0 ]
check "no zombie is left" no_zombies 30
memory_is_back() { [ "$(xen_free)" -ge $((free_before + 140)) ]; }
check "its memory is back" wait_for 30 memory_is_back
at alice "xentmem get $store 1 0-255 /tmp/back && cmp /tmp/file /tmp/back"
is "alice notices nothing" [ $rc -eq 0 ]

step "the operator's view"
at dom0 "xentmem list"
is "the list has alice and bob" [ $rc -eq 0 ]
show
note "Xen had $free_at_start MiB free at the start, has $(xen_free) now"

# ./quickstart shell: what was shown is there to be used, carol again included
if [ -e /testbed/welcome ]; then
    step "starting carol again"
    guest_start carol || exit
    at dom0 "xentmem attach carol"; is "carol is attached" [ $rc -eq 0 ]
    cat <<TRY

Things to try, here in dom0:
    xentmem list                               who is attached, what they hold
    xentmem list pools
    xentmem list members $shared
    xentmem allow $shared carol && guest_run carol xentmem pool join $shared
    xentmem set alice quota=2M                 and then her refused page is taken:
    guest_run alice "head -c 4096 /dev/urandom | xentmem put $store 2 0"
    xentmem freeze bob; xentmem thaw bob
    guest_run bob xentmem bench -s 2           puts and gets a second
    xentmem stats | head                       xentmem -h lists all commands
TRY
fi
