# SPDX-License-Identifier: LGPL-2.1-or-later
# fio: it verifies what it writes to a swap disk, a clone and a cache disk at once, while files are written to ext4 on
# another clone and the daemon is killed. The file system is clean and its files are whole; discards are answered.
#   fio [KILLS]
. /testbed/lib.sh

kills=${1:-6}
image=/testbed/root.img
device=/run/disk.img
mib=8
requests() { # of all disks that are written to, or 0 if one of them has none
    guest_run -t 180 guest 'cat /sys/block/xvd[stuv]/stat' |
        awk '{ n = $1 + $5; all += n; if (n == 0) none = 1 } END { print none ? 0 : all }'
}
requests_after() { [ "$(requests)" -gt "$1" ]; }
ends_well() { # NAME JOB
    local output
    output=$(guest_wait -t 900 guest "$2") && ok "$1: $output" || not_ok "$1" "status $?: $output"
}

step "starting the manager with a disk of $mib MiB, and a guest with one of each kind"
head -c $((mib << 20)) /dev/urandom >$device
manager_config /run/xentmem.cfg 320
xl create -q /run/xentmem.cfg || exit
check "the manager runs" wait_for 120 manager_is_ready || exit
agent ready "$(domid xentmem)" 180
check "it has a disk" manager_disk xvdb $device || exit
check "a base is imported" xentmem base import root $image || exit
GUEST_CMDLINE=root=/dev/xvda GUEST_CONFIG="disk = [ '$(disk xvda clone/root)', '$(disk xvds swap/${mib}M)',
    '$(disk xvdt cache/xvdb)', '$(disk xvdu clone/root)', '$(disk xvdv clone/root/files)' ]" guest_create guest || exit
guest_ready guest || exit

step "verified reads and writes on all, $kills kills meanwhile"
# Each round writes every block of $mib MiB in random order, reads at random between, and looks at blocks while it
# goes on and at the end; depth 8, past the page cache.
job=$(guest_spawn -t 1800 guest "n=0; until [ -e /run/stop ]; do
    fio --ioengine=libaio --direct=1 --iodepth=8 --rw=randrw --rwmixread=40 --size=${mib}M --randrepeat=0 \
        --verify=crc32c --verify_fatal=1 --verify_backlog=128 --group_reporting --output=/run/fio.log \
        --name=swap --filename=/dev/xvds --bs=4k --name=cache --filename=/dev/xvdt --bs=8k \
        --name=clone --filename=/dev/xvdu --bs=16k || { cat /run/fio.log; exit 1; }
    n=\$((n + 1)); done; echo \"\$n rounds\"")
# Files of random sizes, each known by its checksum, the oldest of them removed
files=$(guest_spawn -t 1800 guest 'mount -t ext4 /dev/xvdv /mnt && mkdir /mnt/files && cd /mnt/files || exit; n=0
    until [ -e /run/stop ]; do
        n=$((n + 1)); head -c $((n * 7919 % 400000)) /dev/urandom >$n; md5sum $n >>/run/sums; [ $n -le 12 ] || rm $((n - 12)); sync
    done
    for old in $(seq $((n - 12))); do sed -i "/  $old\$/d" /run/sums; done; echo "$n files"')
check "all disks are used" wait_for 120 requests_after 0
for number in $(seq "$kills"); do
    daemon_kill >/dev/null || not_ok "kill $number" "there is no daemon"
    done=$(requests)
    note "kill $number: $done requests are done"
    wait_for 300 requests_after $((done + 20)) || { not_ok "it goes on after kill $number" "$(requests)"; break; }
done
guest_run -t 180 guest ': >/run/stop' || not_ok "the guest answers" "status $?"
ends_well "fio read what it had written" "$job"
ends_well "files were written" "$files"
check "no request failed" guest_run guest '! dmesg | grep -i "i/o error\|ext4-fs error"'

step "the file system"
check "every file is whole, read from the disk" guest_run -t 300 guest 'umount /mnt && mount -t ext4 /dev/xvdv /mnt &&
    cd /mnt/files && [ $(wc -l </run/sums) -gt 3 ] && md5sum -c /run/sums && [ $(ls | wc -l) = $(wc -l </run/sums) ]'
check "it is clean" guest_run -t 300 guest 'umount /mnt && e2fsck -fn /dev/xvdv'

step "discards"
# of the first page that is written, then discarded, on each disk
discard() {
    guest_run guest "dd if=/dev/urandom of=/dev/$1 bs=4096 count=2 oflag=direct 2>/dev/null && blkdiscard -l 4096 /dev/$1 &&
        dd if=/dev/$1 bs=4096 count=1 iflag=direct 2>/dev/null | cmp - /run/zeros &&
        ! dd if=/dev/$1 bs=4096 skip=1 count=1 iflag=direct 2>/dev/null | cmp -s - /run/zeros"
}
guest_run guest 'head -c 4096 /dev/zero >/run/zeros'
check "of the swap disk" discard xvds
check "of the clone" discard xvdu
check "of the cache disk" discard xvdt
check "reach the device" [ "$(head -c 4096 $device | tr -d '\0' | wc -c)" = 0 ]
check "all of the swap disk" guest_run guest 'blkdiscard /dev/xvds'
check "all of the cache disk" guest_run guest 'blkdiscard /dev/xvdt'
check "every counter agrees with a full scan" xentmem stats --check
check "nothing but the kills ended the daemon" [ "$(daemon_starts)" = $((kills + 1)) ]
