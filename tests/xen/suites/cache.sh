# SPDX-License-Identifier: LGPL-2.1-or-later
# cache: a disk of the manager's domain is served to two stock guests through one pool. One read of a block serves both,
# what either writes is read by the other at once, the daemon is killed meanwhile, and in the end the device goes away.
. /testbed/lib.sh

kills=3
mib=4
image=/run/disk.img
console=/var/log/xen/console/guest-xentmem.log
node() { xenstore-read "$1" 2>/dev/null; }
vdev() { echo $(((1 << 28) + $1 * 256)); } # as xl numbers disks from xvdq on
back() { node "/local/domain/$m/backend/vbd/$(domid "$1")/$(vdev "$2")/$3"; }
# 512-octet sectors that the manager has read from its disk, and written to it
sectors_read() { guest_run xentmem 'cat /sys/block/xvdb/stat' | awk '{ print $3 }'; }
has_disk() { guest_run "$1" "test -e /sys/block/$2" >/dev/null; }
sum() { guest_run -t 240 "$1" "dd if=/dev/$2 bs=64k iflag=direct 2>/dev/null | md5sum"; }
# One page of the disk, around the guest's page cache: a number, filled up with blanks.
put() { guest_run "$1" "printf %4096d $3 >/run/page; dd if=/run/page of=/dev/xvdt bs=4096 seek=$2 oflag=direct conv=notrunc"; }
get() { guest_run "$1" "dd if=/dev/xvdt bs=4096 skip=$2 count=1 iflag=direct 2>/dev/null | tr -d ' '"; }
reads() { [ "$(get "$1" "$2")" = "$3" ]; }

dom0_hotplug_script
step "starting the manager with a disk of $mib MiB, and two guests"
head -c $((mib << 20)) /dev/urandom >$image
losetup /dev/loop0 $image || exit
manager_config /run/xentmem.cfg 256
xl create -q /run/xentmem.cfg || exit
check "the manager runs" wait_for 120 manager_is_ready || exit
agent ready "$(domid xentmem)" 180
m=$(domid xentmem)
check "xl gives it a disk" xl block-attach xentmem "format=raw,vdev=xvdb,access=rw,target=/dev/loop0"
check "which it finds" wait_for 30 has_disk xentmem xvdb || exit
GUEST_CONFIG="disk = [ '$(disk xvdt cache/xvdb)' ]" guest_create a || exit
GUEST_CONFIG="disk = [ '$(disk xvdt cache/xvdb)', '$(disk xvdu swap/4M)' ]" guest_create b || exit
guest_ready a && guest_ready b || exit
check "a sees its size" [ "$(guest_run a 'cat /sys/block/xvdt/size')" = $((mib * 2048)) ]

step "one read serves both"
is_same() { [ "$(sum "$1" xvdt)" = "$(md5sum <$image)" ]; }
check "a reads what is on the disk" is_same a
before=$(sectors_read)
note "sectors read for a: $before of $((mib * 2048))"
check "they came from the disk" [ "$before" -ge $((mib * 2048)) ]
check "b reads the same" is_same b
more=$(($(sectors_read) - before))
note "sectors read for b: $more"
check "less than 5 % of them from the disk" [ $((more * 20)) -lt $((mib * 2048)) ]
at dom0 'xentmem list disks'
is "b's pages were hits" says cache
show

step "what one writes the other reads"
for number in 1 2 3; do
    put a 7 $number >/dev/null || not_ok "a writes $number" "dd failed"
    check "b reads what a wrote, $number" reads b 7 $number
    put b 7 $((number + 100)) >/dev/null || not_ok "b writes $number" "dd failed"
    check "a reads what b wrote, $number" reads a 7 $((number + 100))
done
check "it is on the disk" [ "$(dd if=$image bs=4096 skip=7 count=1 2>/dev/null | tr -d ' ')" = 103 ]
# sectors of one page, by both at once
part() { guest_spawn "$1" "for n in 1 2 3 4 5 6 7 8 9 10; do printf %512d $2 >/run/part
    dd if=/run/part of=/dev/xvdt bs=512 seek=$3 oflag=direct conv=notrunc || exit; done"; }
job_a=$(part a 3000 64) job_b=$(part b 4000 65)
guest_wait a "$job_a" >/dev/null && guest_wait b "$job_b" >/dev/null && ok "both write sectors of one page" ||
    not_ok "both write sectors of one page" "dd failed"
check "both are there" [ "$(dd if=$image bs=512 skip=64 count=2 2>/dev/null | tr -s ' ' | tr -d '\n')" = " 3000 4000" ]

step "$kills kills while a counts in a page that b looks at"
job_a=$(guest_spawn -t 300 a 'n=1000; until [ -e /run/stop ]; do n=$((n + 1)); printf %4096d $n >/run/page
    dd if=/run/page of=/dev/xvdt bs=4096 seek=9 oflag=direct conv=notrunc 2>/dev/null || exit 1; echo $n >/run/count; done; echo $n')
put b 9 1000 >/dev/null
job_b=$(guest_spawn -t 300 b 'last=0; until [ -e /run/stop ]; do
    n=$(dd if=/dev/xvdt bs=4096 skip=9 count=1 iflag=direct 2>/dev/null | tr -d " ")
    [ "$n" -ge $last ] || { echo "$n after $last"; exit 1; }; last=$n; echo $n >/run/count; done; echo $last')
# The file is empty for a moment each time that it is written.
count() { guest_run "$1" 'until read -r n </run/count && [ -n "$n" ]; do :; done; echo $n'; }
goes_on() { [ "$(count "$1")" -gt "$2" ]; }
check "a counts" wait_for 60 goes_on a 1003 && check "b sees it" wait_for 60 goes_on b 1003
for number in $(seq $kills); do
    daemon_kill >/dev/null || not_ok "kill $number" "there is no daemon"
    at_a=$(count a) at_b=$(count b)
    note "kill $number: a has counted to $at_a, b has seen $at_b"
    wait_for 120 goes_on a "$at_a" && wait_for 120 goes_on b "$at_b" ||
        not_ok "both go on after kill $number" "a $(count a), b $(count b)"
done
guest_run a ': >/run/stop' && guest_run b ': >/run/stop'
last=$(guest_wait -t 60 a "$job_a") && ok "every write of a was answered: $last" || not_ok "a" "$last"
seen=$(guest_wait -t 60 b "$job_b") && ok "b has never seen an older number: $seen" || not_ok "b" "$seen"
check "b reads the last one" reads b 9 "$last"
check "a flush reaches the disk" guest_run a 'dd if=/run/page of=/dev/xvdt bs=4096 seek=10 conv=notrunc,fsync'
check "a and b and the disk are the same" is_same a && check "b too" is_same b
check "every counter agrees with a full scan" xentmem stats --check

step "what is refused"
try() { ! xl block-attach a "$(disk xvdv "$1" "${2:-rw}")" >/dev/null 2>&1; }
check "a device that is not there" try cache/xvdz
check "and says so" [ "$(back a 21 error)" = "the manager has no such device: xl block-attach it to the manager's domain" ]
xl block-detach a xvdv >/dev/null 2>&1

step "the device goes away"
check "a has another disk of it, read-only" xl block-attach a "$(disk xvdw cache/xvdb ro)"
check "which cannot be written" wait_for 20 guest_run a 'test "$(cat /sys/block/xvdw/ro)" = 1'
guest_run a 'dd if=/dev/xvdw of=/dev/null bs=4096 count=1 iflag=direct' >/dev/null
put a 11 11 >/dev/null
xl block-detach xentmem xvdb --force >/dev/null 2>&1
fails() { ! put a 11 12 >/dev/null; }
check "writes fail" wait_for 60 fails
check "another disk of b does not" guest_run b 'dd if=/run/page of=/dev/xvdu bs=4096 oflag=direct conv=notrunc &&
    dd if=/dev/xvdu bs=4096 count=1 iflag=direct | cmp - /run/page'
check "a's is detached" xl block-detach a xvdt
for name in a b; do guest_destroy $name; done
check "they leave no zombie" no_zombies 30
check "nothing but the kills ended the daemon" [ "$(grep -c 'xentmemd started' $console)" = $((kills + 1)) ]
