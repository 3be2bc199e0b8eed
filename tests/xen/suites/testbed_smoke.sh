# SPDX-License-Identifier: LGPL-2.1-or-later
# testbed_smoke: does the testbed itself work? Guests of both kinds start, run
# commands, see each other through xenstore, and leave nothing behind.
. /testbed/lib.sh

free_before=$(xen_free)
note "free: Xen $free_before MiB, dom0 $(dom0_free) MiB"

step "starting three guests"
for guest in a:pvh b:pvh c:pv; do
    guest_create "${guest%:*}" "${guest#*:}" || exit
done
for name in a b c; do
    guest_ready $name && ok "$name serves" || exit
done

step "running commands"
for name in a b c; do
    [ "$(guest_run $name 'hostname')" = $name ] && ok "$name runs a command" ||
        not_ok "$name runs a command"
    check "$name has the devices of Xen" \
        guest_run $name 'test -c /dev/xen/gntdev -a -c /dev/xen/gntalloc -a -c /dev/xen/evtchn -a -c /dev/xen/xenbus'
done

guest_run a 'exit 7'
[ $? -eq 7 ] && ok "an exit status arrives" || not_ok "an exit status arrives"

[ "$(guest_run a 'printf "a  b\n\n\"c\" \$x"; echo err >&2')" = "$(printf 'a  b\n\n"c" $xerr')" ] &&
    ok "text arrives unchanged" || not_ok "text arrives unchanged"

here=$(seq 1 9000 | md5sum)
there=$(guest_run b 'seq 1 9000' | md5sum)
[ "$here" = "$there" ] && ok "40 KiB of output arrive" || not_ok "40 KiB of output arrive" "$there"

long=$(seq 1 3000)
[ "$(guest_run c "echo '$long' | md5sum")" = "$(echo "$long" | md5sum)" ] &&
    ok "14 KiB of command arrive" || not_ok "14 KiB of command arrive"

guest_run -t 2 b 'sleep 100'
[ $? -eq 124 ] && ok "a time limit ends a command" || not_ok "a time limit ends a command"

guest_run -t 20 a 'sleep 300 & echo $! >/run/background'
[ $? -eq 0 ] && check "a background process lives on" guest_run a 'kill -0 $(cat /run/background)' ||
    not_ok "a background process lives on"

first=$(guest_spawn b 'sleep 2; echo first')
second=$(guest_spawn b 'sleep 2; echo second; exit 3')
[ "$(guest_wait b "$first")" = first ] && ok "a job is waited for" || not_ok "a job is waited for"
output=$(guest_wait b "$second")
[ "$? $output" = "3 second" ] && ok "jobs run side by side" || not_ok "jobs run side by side" "$output"

step "xenstore between guests"
a=$(domid a) b=$(domid b)
guest_run a "xenstore-write data/greeting hello && xenstore-chmod data/greeting n$a r$b"
[ "$(guest_run b "xenstore-read /local/domain/$a/data/greeting")" = hello ] &&
    ok "b reads what a published" || not_ok "b reads what a published"
guest_run c "xenstore-read /local/domain/$a/data/greeting" >/dev/null 2>&1 &&
    not_ok "c may not read it" || ok "c may not read it"

step "destroying the guests"
{ guest_run c 'sleep 1000'; echo $? >/run/in_flight; } 2>/dev/null &
sleep 1
for name in a b c; do check "$name is gone" guest_destroy $name; done
wait
[ "$(cat /run/in_flight)" = 125 ] && ok "a guest's death ends the wait for its command" ||
    not_ok "a guest's death ends the wait for its command"
guest_run c true
[ $? -eq 125 ] && ok "a dead guest is reported" || not_ok "a dead guest is reported"
check "no zombies" no_zombies
# what a domain had is scrubbed and freed a little later
lib_freed() { [ "$(xen_free)" -ge $((free_before - 2)) ]; }
check "Xen has its memory back" wait_for 20 lib_freed
note "free: Xen $(xen_free) MiB, dom0 $(dom0_free) MiB"
