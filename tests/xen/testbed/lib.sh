# SPDX-License-Identifier: LGPL-2.1-or-later
# lib.sh: what a suite uses, in dom0. Source it first: . /testbed/lib.sh
#
# A suite fails when a check failed, when none was made, or when it stops early:
# the exit trap below decides, so a suite simply ends.
#
#   step TEXT                     what is being done now
#   note TEXT                     a figure or remark for the reader
#   ok NAME / not_ok NAME REASON  one check's outcome
#   check NAME COMMAND...         ok when the command succeeds
#   at dom0|GUEST COMMAND         run a command where it belongs, show it as it is typed;
#                                 its output is left in $out, its status in $rc
#   is NAME CONDITION...          a check of what `at` left
#   says TEXT                     is it in $out?
#   show                          $out for the reader
#   despite_emulator COMMAND...   again, twice at most, if the emulator lost a guest meanwhile
#   wait_for SECONDS COMMAND...   until the command succeeds; fails when time is over
#
#   guest_start NAME [pvh|pv] [VCPUS] [MEMORY]   create and wait until it serves; the
#                                 type is what this machine runs well unless told: $guest_type
#   guest_create NAME ...         the same without waiting, for several at a time,
#   guest_ready NAME              and the wait
#       environment: GUEST_CONFIG   more lines for its xl configuration
#                    GUEST_CMDLINE  more for its kernel command line
#                    GUEST_IMAGE    another initramfs than /testbed/guest.cpio
#   guest_run [-t SECONDS] NAME COMMAND...       in its shell; output (both streams, up
#       to 64 KiB) and status are the command's; 124: time over (default 60), 125: guest gone or silent, 126: flood
#   guest_spawn [-t SECONDS] NAME COMMAND...     run it in the background; prints a job
#   guest_wait [-t SECONDS] NAME JOB             that job's output and status
#   guest_destroy NAME            and wait until it is off the list or a zombie
#   guest_console NAME            what it wrote on its console
#   domid NAME                    its number
#   manager_config FILE [MEMORY] [LINE]...   write an xl configuration for the manager:
#       the product's /etc/xen/xentmem.cfg with the memory (MiB, default 256) and lines
#       given, and with the agent in its image; after `xl create FILE` guest_ready,
#       guest_run and the others work on it by the name xentmem
#   manager_is_ready [NAME]       has the daemon in that domain (xentmem) announced itself?
#
#   dom0_hotplug_script           let dom0 give devices of its own to domains, through blkback
#   disk VDEV TARGET [ro]         a disk of the manager's as xl wants it, for `disk = [ '...' ]`
#       and block-attach. A guest with one at xvda, a clone of /testbed/root.img (which a suite
#       that names it gets), boots from it with GUEST_CMDLINE=root=/dev/xvda
#   disk_requests GUEST VDEV      how many the guest's kernel has seen completed
#   manager_disk VDEV FILE        give the manager a file of dom0 as a disk
#   pages_held                    persistent pages that the manager holds
#   holds_at_most PAGES           no more than so many?
#   daemon_kill                   within two seconds, or as soon as there is one
#   daemon_starts                 how often the manager's console has said that it starts
#
#   zombies                       domains that died and are held by somebody
#   no_zombies [SECONDS]          true when there are none, after that time at most
#   xen_free                      free memory of the machine, MiB
#   dom0_free                     available memory in dom0, MiB

lib_passed=0
lib_failed=0
lib_ended=
lib_guests=/run/guests
mkdir -p $lib_guests
. /testbed/types # $machine_type, $guest_type: what this machine runs well, or what boot was told; $mended: by the emulator that loses none
guest_kernel=/testbed/vmlinux
[ ! -e /testbed/vmlinux-guest ] || guest_kernel=/testbed/vmlinux-guest
out= rc=               # of the last `at`
xl dmesg -c >/dev/null # a report shows what the hypervisor says from here on

lib_cmdline="console=hvc0 quiet mitigations=off nowatchdog rcupdate.rcu_cpu_stall_suppress=1"

# A PVH guest has neither PCI nor the timer by which Linux calibrates the time stamp
# counter: quick_pit_calibrate() reads its port 100,000 times, each a VM exit. That
# took half of the guest's boot, and one guest in some sixty triple-faulted amid it
# (QEMU 7.2's SVM; seen at iteration 26,274). Without the counter's flag Linux skips
# it; the clock is Xen's in any case. lpj, because the delay loop would be calibrated
# before there are ticks.
lib_cmdline_pvh="pci=noearly clearcpuid=tsc lpj=4000000"

# `boot` reads the marked lines. Somebody who sits at the console is shown plain ones.
if [ -e /testbed/welcome ]; then
    lib_say() {
        case $1 in
        step) printf '\n%s\n' "$2" ;;
        note) printf '        %s\n' "$2" ;;
        *) printf '%-7s %s\n' "$1" "$2" ;;
        esac
    }
else
    lib_say() { echo "@@ $1 $2"; }
fi

step() { lib_say step "$*"; }
note() { lib_say note "$*"; }

ok() {
    lib_passed=$((lib_passed + 1))
    lib_say ok "$1"
}

not_ok() {
    lib_failed=$((lib_failed + 1))
    lib_say "not ok" "$1: ${2:-failed}"
}

check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        ok "$name"
    else
        not_ok "$name" "status $? of: $*"
        echo "$output" | sed 's/^/| /'
        return 1
    fi
}

at() {
    note "$1# $2"
    if [ "$1" = dom0 ]; then out=$(sh -c "$2" 2>&1); else out=$(guest_run -t 180 "$1" "$2" 2>&1); fi
    rc=$?
}

is() {
    local name=$1
    shift
    if "$@"; then ok "$name"; else not_ok "$name" "status $rc: $(echo "$out" | tail -n 3 | tr '\n' ' ')"; fi
}

says() {
    case $out in *"$1"*) return 0 ;; esac
    return 1
}

show() { echo "$out" | while IFS= read -r line; do note "    $line"; done; }

# The suite's status is what its checks say, and not what its last command said.
lib_end() {
    local status=$?
    [ -z "$lib_ended" ] || return
    lib_ended=1
    [ $lib_failed -eq 0 ] && [ $lib_passed -gt 0 ] && [ $status -eq 0 ] && exit 0
    note "$lib_passed passed, $lib_failed failed, the suite ended with $status"
    for lib_name in /var/log/xen/console/guest-*.log; do
        lib_name=${lib_name##*/guest-}
        [ ! -s /var/log/xen/console/guest-"$lib_name" ] || guest_console "${lib_name%.log}"
    done
    xl list
    echo "hypervisor:"
    xl dmesg | tail -n 30 | sed 's/^/| /'
    exit 1
}
case $- in
*i*) ;; # somebody's shell (boot --interactive) ends as it likes
*) set -u; trap lib_end EXIT ;;
esac

wait_for() {
    local until=$(($(uptime_s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(uptime_s)" -lt $until ] || return 1
        sleep 0.2
    done
}

uptime_s() { cut -d . -f 1 /proc/uptime; } # date may jump when dom0 stands still

# ---- guests ------------------------------------------------------------------

guest_create() {
    local name=$1 type=${2:-$guest_type} vcpus=${3:-1} memory=${4:-160}
    cat >$lib_guests/"$name".cfg <<CONFIG
name = "$name"
type = "$type"
kernel = "$guest_kernel"
ramdisk = "${GUEST_IMAGE:-/testbed/guest.cpio}"
cmdline = "$lib_cmdline $([ "$type" != pvh ] || echo "$lib_cmdline_pvh") ${GUEST_CMDLINE:-}"
memory = $memory
vcpus = $vcpus
on_reboot = "destroy"
on_crash = "destroy"
${GUEST_CONFIG:-}
CONFIG
    lib_create "$name" && return
    not_ok "$name starts" "xl create"
    return 1
}
lib_create() { # and keep its number, which xl forgets when it dies
    xl -f create -q $lib_guests/"$1".cfg && domid "$1" >$lib_guests/"$1".id
}

# A PVH guest may triple-fault while it boots under QEMU's emulation of SVM (boot says
# why), before it runs anything of ours. It is started again, twice at most, and the
# report says so. A guest that is merely late or crashes otherwise is a failure.
guest_ready() {
    local id
    for lib_try in 1 2 3; do
        # a domain that the suite created itself, such as the manager, has no file here
        id=$(cat $lib_guests/"$1".id 2>/dev/null || domid "$1")
        agent ready "$id" 180 && return
        [ -z "$mended" ] && xl dmesg | grep -q "d${id}v[0-9]* Triple fault" || break
        note "$1 triple-faulted in the emulator; starting it again"
        [ ! -f $lib_guests/"$1".id ] || lib_create "$1" || break # the manager's on_reboot does it
    done
    not_ok "$1 starts" "it does not answer"
    return 1
}

# For what runs in PVH under emulation. A guest that was lost shows in its own console
# or in the hypervisor's; any other failure is one.
despite_emulator() {
    for lib_round in 1 2 3; do
        xl dmesg -c >/dev/null
        for lib_name in /var/log/xen/console/guest-*.log; do : >"$lib_name"; done
        "$@" && return
        [ -z "$mended" ] || return 1
        grep -q 'Kernel panic' /var/log/xen/console/guest-*.log ||
            xl dmesg | grep -q 'Triple fault' || return 1
        note "the emulator lost a guest: $* is run again"
    done
    return 1
}

guest_start() { guest_create "$@" && guest_ready "$1"; }

guest_agent() { # VERB [-t SECONDS] NAME ARGUMENT...
    local verb=$1 seconds=60 id
    shift
    if [ "$1" = -t ]; then seconds=$2; shift 2; fi
    id=$(domid "$1") || return 125
    shift
    agent "$verb" "$id" "$seconds" "$*"
}
guest_run() { guest_agent run "$@"; }
guest_spawn() { guest_agent start "$@"; }
guest_wait() { guest_agent wait "$@"; }

guest_destroy() {
    local id
    id=$(domid "$1") || return 0
    xl destroy "$id"
    # a domain whose memory a peer has mapped stays listed, as (null)
    wait_for 30 lib_is_off "$id"
}
lib_is_off() { ! xl list | awk -v id="$1" '$2 == id && $1 != "(null)" { f = 1 } END { exit !f }'; }

guest_console() {
    echo "console of $1:"
    tail -n 40 /var/log/xen/console/guest-"$1".log 2>/dev/null | tr -d '\r' | sed 's/^/| /'
    echo # the console may have stopped within a line
}

manager_config() {
    local file=$1 memory=${2:-256}
    shift $(($# < 2 ? $# : 2))
    # vmlinux is the same kernel, unpacked: 2 seconds to create instead of 8
    sed -e 's|^kernel *=.*|kernel = "/testbed/vmlinux"|' \
        -e 's|^ramdisk *=.*|ramdisk = "/testbed/manager.cpio"|' \
        -e "s|^memory *=.*|memory = $memory|" \
        -e "s|^type *=.*|type = \"$machine_type\"|" \
        -e "s|^cmdline *= *\"\(.*\)\"|cmdline = \"\1 mitigations=off $lib_cmdline_pvh rdinit=/testbed/init\"|" \
        /etc/xen/xentmem.cfg >"$file"
    [ $# -eq 0 ] || printf '%s\n' "$@" >>"$file"
}

manager_is_ready() { xenstore-read "/local/domain/$(domid "${1:-xentmem}")/data/xentmem/ready"; }

domid() { xl domid "$1" 2>/dev/null; }

# libxl has a script make a device of dom0 known to blkback; the product's image of dom0 has none of Xen's.
dom0_hotplug_script() {
    mkdir -p /etc/xen/scripts
    cat >/etc/xen/scripts/block <<'END'
#!/bin/busybox sh
[ "$1" = add ] || exit 0
device=$(xenstore-read "$XENBUS_PATH/params")
xenstore-write "$XENBUS_PATH/physical-device" "$(stat -c %t:%T "$device")" \
    "$XENBUS_PATH/physical-device-path" "$device" "$XENBUS_PATH/hotplug-status" connected
END
    chmod 755 /etc/xen/scripts/block
}

# ---- its disks -----------------------------------------------------------------

disk() { echo "format=raw,vdev=$1,access=${3:-rw},backend=xentmem,target=$2"; }

disk_requests() { guest_run -t 180 "$1" "cat /sys/block/$2/stat" | awk '{ print $1 + $5 + $12 }'; }

manager_disk() {
    local loop
    dom0_hotplug_script
    loop=$(losetup -f) && losetup "$loop" "$2" || return
    xl block-attach xentmem "format=raw,vdev=$1,access=rw,target=$loop" &&
        wait_for 30 guest_run xentmem "test -e /sys/block/$1"
}

pages_held() { xentmem stats | awk '$1 == "pages_persistent" { print $2 }'; }
holds_at_most() { [ "$(pages_held)" -le "$1" ]; }

daemon_kill() {
    guest_run xentmem "until pidof xentmemd; do sleep 0.1; done
        sleep $(($(lib_random) % 2)).$(lib_random); kill -9 \$(pidof xentmemd)"
}
daemon_starts() { grep -c 'xentmemd started' /var/log/xen/console/guest-xentmem.log; }
lib_random() { od -An -N1 -tu1 /dev/urandom | tr -d ' '; }

# ---- the machine's state --------------------------------------------------------

zombies() { xl list | awk '$1 == "(null)" || $5 ~ /d$/ { print $2 }'; }

no_zombies() { wait_for "${1:-10}" lib_no_zombies; }
lib_no_zombies() { [ -z "$(zombies)" ]; }

xen_free() { xl info | awk '$1 == "free_memory" { print $3 }'; }
dom0_free() { awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo; }
