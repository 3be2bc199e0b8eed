# SPDX-License-Identifier: LGPL-2.1-or-later
# conformance_xen: the rules C1 to C31 between three guests and the manager domain. Arguments:
# beginnings of test names, to run only those.
. /testbed/lib.sh

frames=512

# What conformance_xen calls; a shell of its own, for lib.sh would count its checks.
cat >/run/conformance.sh <<'SCRIPT'
#!/bin/sh
# conformance.sh serve|die GUEST
domid() { xl domid "$1"; }
case $1 in
serve)
    agent run "$(domid "$2")" 60 'old=$(pidof conformance_guest) && kill -9 $old
        conformance_guest >/run/conformance.log 2>&1 &'
    ;;
die)
    xl destroy "$2"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        xl list | awk '$1 == "(null)" || $5 ~ /d$/ { f = 1 } END { exit !f }' || break
        sleep 1
    done
    xl -f create -q /run/guests/"$2".cfg && domid "$2" >/run/guests/"$2".id &&
        agent ready "$(domid "$2")" 180 && xentmem attach "$2"
    ;;
esac
SCRIPT
chmod +x /run/conformance.sh

step "starting the manager with $frames pages, and three guests"
manager_config /run/xentmem.cfg 160
sed -i "s|^cmdline = \"\(.*\)\"|cmdline = \"\1 xentmem.memory=$((frames * 4))K\"|
    s|^vcpus *=.*|vcpus = 1|" /run/xentmem.cfg
xl create -q /run/xentmem.cfg || exit
# the first has a thread that writes while another one waits for an answer, and looks for it
guest_create a "$guest_type" 2 || exit
for name in b c; do guest_create $name || exit; done
check "the manager runs" wait_for 240 manager_is_ready || exit
for name in a b c; do
    guest_ready $name || exit
    check "$name is attached" xentmem attach $name || exit
done
check "dom0 has its own attachment" xentmem stats || exit

step "the rules"
mkfifo /run/rules
conformance_xen xentmem $frames /run/conformance.sh a b c "$@" >/run/rules 2>/run/talk &
program=$!
while IFS= read -r line; do
    case $line in
    "ok "*) ok "${line#ok }" ;;
    *"triple-faulted"*) note "$line" ;;
    "not ok "*) line=${line#not ok }; not_ok "${line%%: *}" "${line#*: }" ;;
    esac
done </run/rules
wait $program || tail -n 20 /run/talk
check "the manager and its guests are alive" xentmem list
check "no zombies" no_zombies
