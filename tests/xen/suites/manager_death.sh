# SPDX-License-Identifier: LGPL-2.1-or-later
# manager_death: the manager's domain dies while a guest uses its disks. The guest waits, and lives; a manager with the same
# number answers what waits, with errors where the content is gone, and goes on with a device's; new disks can be had.
. /testbed/lib.sh

vdev() { echo $(((1 << 28) + $1 * 256)); } # as xl numbers disks from xvdq on
xvds=$(vdev 18) xvdt=$(vdev 19) xvdu=$(vdev 20)
node() { xenstore-read "$1" 2>/dev/null; }
back() { node "/local/domain/$m/backend/vbd/$g/$1/$2"; }
is_back() { [ "$(back "$1" "$2")" = "$3" ]; }
has_disk() { guest_run "$1" "test -e /sys/block/$2" >/dev/null; }
goes_on() { [ "$(disk_requests guest "$1")" -gt "$2" ]; } # DISK COUNT
in_flight() { guest_run guest "awk '{ print \$1 + \$2 }' /sys/block/$1/inflight"; }
waits() { [ "$(in_flight "$1")" -ge 1 ]; }
has_ended() { guest_run guest "grep -q 'Input/output error' /run/$1.ended" >/dev/null; }
no_backend() { [ -z "$(back $xvds state)" ]; }
number_is() { [ "$(domid xentmem)" = "$1" ]; }
start_manager() { xentmem start /run/xentmem.cfg >/run/start.out 2>&1; }
start_says() { grep -q "$1" /run/start.out; }
says_there_is() { xentmem start /run/xentmem.cfg "$1" 2>&1 | grep "there is a domain $1"; }
# Reads and writes, past the page cache, until one of them fails
load() { # DISK
    guest_run guest "(rm -f /run/$1.ended; until dd if=/dev/zero of=/dev/$1 bs=4k count=64 oflag=direct 2>&1 | grep error ||
        dd if=/dev/$1 of=/dev/null bs=4k count=64 iflag=direct 2>&1 | grep error; do :; done >/run/$1.now; mv /run/$1.now /run/$1.ended) >/dev/null 2>&1 &" >/dev/null
}

dom0_hotplug_script
head -c $((4 << 20)) /dev/urandom >/run/disk.img
losetup /dev/loop0 /run/disk.img || exit
step "starting a manager that has a disk of its own, and a guest with two disks"
manager_config /run/xentmem.cfg 256 "disk = [ 'format=raw,vdev=xvdb,access=rw,target=/dev/loop0' ]"
check "xentmem start creates the manager" start_manager
check "and says its number" start_says "^xentmem runs, domain $(domid xentmem)\$"
check "it runs" wait_for 120 manager_is_ready || exit
m=$(domid xentmem)
agent ready "$m" 180
check "it has its disk" wait_for 30 has_disk xentmem xvdb || exit
GUEST_CONFIG="disk = [ '$(disk xvds swap/16M)', '$(disk xvdt cache/xvdb)' ]" guest_create guest || exit
guest_ready guest || exit
g=$(domid guest)

step "its domain is destroyed under load"
load xvds && load xvdt
check "the load has begun" wait_for 60 goes_on xvds 10
check "on both" wait_for 60 goes_on xvdt 10
xl destroy xentmem
check "the guest waits for one disk" wait_for 30 waits xvds
check "and for the other" wait_for 30 waits xvdt
check "nothing has failed" [ "$(guest_run guest 'ls /run/*.ended 2>/dev/null')" = "" ]
check "xentmem start" start_manager
check "it says whose content is lost" start_says "^guest:xvds: its content is lost.*xl block-detach guest xvds"
check "and whose is not" start_says "^guest:xvdt: the manager serves it again"
check "the manager has the number of the one that died" number_is "$m"
check "the load on the disk that is lost has an I/O error" wait_for 120 has_ended xvds
check "and nothing waits for it" [ "$(in_flight xvds)" = 0 ]
check "the reason is in node error" [ "$(back $xvds error)" = "the disk was lost with the manager's memory: detach it" ]
done=$(disk_requests guest xvdt)
check "the load on the device goes on" wait_for 60 goes_on xvdt "$done"
check "and nothing of it has failed" [ "$(guest_run guest 'ls /run/xvdt.ended 2>/dev/null')" = "" ]
check "the lost disk can be detached" xl block-detach guest xvds
check "and a new one attached" xl block-attach guest "$(disk xvds swap/16M)"
check "which works" wait_for 30 guest_run guest 'head -c 40000 /dev/urandom >/run/file &&
    dd if=/run/file of=/dev/xvds bs=4000 conv=fsync && echo 3 >/proc/sys/vm/drop_caches && cmp -n 40000 /run/file /dev/xvds'

step "nobody gives a disk back by itself"
xentmem agent >/run/agent.log 2>&1 &
agent=$!
load xvds
done=$(disk_requests guest xvds)
check "the load has begun" wait_for 60 goes_on xvds $((done + 10))
check "a number is not given twice" says_there_is "$m"
kill -STOP $(pidof xenconsoled) # it has mapped a page of the manager
xl destroy xentmem
check "the guest waits" wait_for 30 waits xvds
sleep 12 # two looks of the agent
check "and has no backend" no_backend
kill $agent
xentmem start /run/xentmem.cfg >/run/start.log 2>&1 &
start=$!
check "xentmem start waits for a domain of which pages are held" wait_for 60 grep -q 'dying still' /run/start.log
kill -CONT $(pidof xenconsoled)
wait $start
check "and creates the manager then" [ $? -eq 0 ]
check "the load has an I/O error" wait_for 120 has_ended xvds
check "the manager has the same number" number_is "$m"
done=$(disk_requests guest xvdt)
check "the load on the device goes on" wait_for 60 goes_on xvdt "$done"

step "nodes that are left over"
xl pause xentmem
xl block-attach guest "$(disk xvdu swap/4M)" >/dev/null 2>&1
xl destroy xentmem
check "an attach that failed has left nodes with the guest" node "/local/domain/$g/device/vbd/$xvdu/state"
at dom0 'xentmem disk clean'
is "they are removed" says "xvdu: removed, its manager is gone"
check "and xl knows nothing of them" [ -z "$(node "/libxl/$g/device/vbd/$xvdu/backend")$(node "/local/domain/$g/device/vbd/$xvdu/state")" ]
is "what the guest uses is not touched" says "xvdt: the guest uses it and waits for its manager"
check "its nodes are there" node "/local/domain/$g/device/vbd/$xvdt/state"
check "it is served by the next manager" xentmem start /run/xentmem.cfg
check "and goes on" wait_for 120 goes_on xvdt "$(disk_requests guest xvdt)"
xl destroy xentmem
check "one that is started in the second in which the last one was destroyed" xentmem start /run/xentmem.cfg
check "has the same number" number_is "$m"
check "and the load goes on" wait_for 120 goes_on xvdt "$(disk_requests guest xvdt)"
xl destroy xentmem
sleep 1
check "a start that is cut off has created the manager, and no more" env LD_PRELOAD=/usr/lib/xentmem/same-domid.so \
    LIBXL_DOMID_REUSE_TIMEOUT=0 XENTMEM_DOMID="$m" xl create -q /run/xentmem.cfg
check "it runs" wait_for 120 manager_is_ready
check "and disks wait" [ -z "$(back $xvdt state)" ]
check "what no start has left is a manager that runs" eval '! start_manager && start_says "xl destroy xentmem"'
touch "/run/xentmem/start.$m"
check "another start goes on" start_manager
check "it says so" start_says "^xentmem runs already, domain $m\$"
check "and of the disk" start_says "^guest:xvdt: the manager serves it again"
check "the load goes on" wait_for 120 goes_on xvdt "$(disk_requests guest xvdt)"
check "a manager that runs and has all its disks is not started again" eval '! start_manager && start_says "xl destroy xentmem"'
dead=/local/domain/$m/backend/vbd/4242/51712
xenstore-write $dead/params swap/4M $dead/online 1
at dom0 'xentmem disk clean'
is "nodes of a guest that is gone are removed" [ $rc -eq 0 ]
check "they are not there" [ -z "$(node $dead/params)" ]
check "the guest's own are" is_back $xvdt state 4
check "the guest can be destroyed" guest_destroy guest
check "it leaves no zombie" no_zombies 30
check "every counter agrees with a full scan" xentmem stats --check
