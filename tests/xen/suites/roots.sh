# SPDX-License-Identifier: LGPL-2.1-or-later
# roots: guests boot their root file systems from clones of one base. What they write is their own, a frozen state
# boots another guest with exactly that content, and a rollback gives the base back byte for byte.
. /testbed/lib.sh

image=/testbed/root.img
# The pages that a disk or a base has itself
own() { xentmem --json "$1" list | tr -d '\n' | tr '{' '\n' | sed -n "s/.*\"$1\": *\"$2\".*\"own_pages\": *\([0-9]*\).*/\1/p"; }
# A guest whose root is a clone that is kept, by the guest's name
root_of() { GUEST_CMDLINE=root=/dev/xvda GUEST_CONFIG="disk = [ '$(disk xvda "clone/$2/$1")' ]" guest_create "$1"; }
is_rooted() { guest_run "$1" 'grep -q "^/dev/xvda / ext4" /proc/mounts'; }
# All files of a file system; the whole of a device, past the page cache
files() { guest_run -t 300 "$1" "cd ${2:-/} && find . -xdev -type f -exec md5sum {} + | sort -k 2"; }
sum() { guest_run -t 300 "$1" "dd if=/dev/$2 bs=1M iflag=direct 2>/dev/null | md5sum"; }
has() { guest_run "$1" "test -b /dev/$2"; }
give() { check "$1 has $3 as $2" xl block-attach "$1" "$(disk "$2" "$3")" && wait_for 30 has "$1" "$2"; }
is_clean() { guest_run -t 300 "$1" "e2fsck -fn /dev/$2"; }

step "starting the manager with a base"
manager_config /run/xentmem.cfg 384
xl create -q /run/xentmem.cfg || exit
check "the manager runs" wait_for 120 manager_is_ready || exit
check "a base is imported" xentmem base import root $image || exit
base=$(own base root)
note "it holds $base of the image's $(($(stat -c %s $image) / 4096)) pages"
check "which is all that is held" [ "$base" -gt 0 ] && check "and no more" holds_at_most $((base + 16))

step "two guests boot from it"
root_of a root || exit
root_of b root || exit
guest_ready a && guest_ready b || exit
for name in a b; do check "$name's root is its clone" is_rooted $name || exit; done
files a >/run/a && files b >/run/b
note "files: $(wc -l </run/a)"
check "both have the same files" cmp /run/a /run/b && check "and many" [ "$(wc -l </run/a)" -gt 20 ]
check "a reads the image's bytes" grep -q "$(md5sum </bin/busybox | cut -d ' ' -f 1)" /run/a
held=$(pages_held) own_a=$(own disk a) own_b=$(own disk b)
note "pages held: $held: the base $base, a $own_a, b $own_b"
check "memory is one base and their changes" [ $((held - base - own_a - own_b)) -le 16 ]
check "which are few" [ $((own_a + own_b)) -lt $((base / 4)) ]

step "a writes, and its state is frozen"
check "a changes files" guest_run a 'head -c 3000000 /dev/urandom >/root/new && echo changed >>/init && rm /usr/bin/mke2fs && sync'
check "its file system stands still" guest_run a 'fsfreeze --freeze /'
check "the state becomes a base" xentmem freeze a state
check "a goes on" guest_run a 'fsfreeze --unfreeze /'
files a >/run/frozen
check "and changes more" guest_run a 'echo later >/root/later; echo again >>/init; sync'
files a >/run/later
check "b has nothing of it" [ "$(files b | md5sum)" = "$(md5sum </run/b)" ]
note "pages held: $(pages_held): the base $base, state $(own base state), a $(own disk a), b $(own disk b)"
guest_destroy b

step "a third guest boots from what was frozen"
root_of c state || exit
guest_ready c || exit
check "c's root is its clone" is_rooted c || exit
files c >/run/c
check "it has exactly the frozen content" cmp /run/frozen /run/c
check "which is not what a began with" [ "$(md5sum </run/a)" != "$(md5sum </run/c)" ]
check "nor what a has now" [ "$(md5sum </run/later)" != "$(md5sum </run/c)" ]
give c xvdb clone/state
check "its file system is clean" is_clean c xvdb

step "rollback"
give c xvdc clone/state/work
before=$(sum c xvdc)
check "c changes it" guest_run c 'mount -t ext4 /dev/xvdc /mnt && head -c 2000000 /dev/urandom >/mnt/root/new &&
    rm /mnt/usr/bin/e2fsck && umount /mnt'
check "its file system is clean" is_clean c xvdc
note "pages of its own: $(own disk work)"
check "it has bytes of its own" [ "$(own disk work)" -ge 500 ]
check "it is rolled back" xentmem rollback work && check "it has none" [ "$(own disk work)" = 0 ]
check "it has every byte that it had" [ "$(sum c xvdc)" = "$before" ]
check "its file system is clean" guest_run c 'echo 3 >/proc/sys/vm/drop_caches; e2fsck -fn /dev/xvdc'
check "the root of b, who is gone, is rolled back" xentmem rollback b
give c xvdd clone/root/b
check "it is the image, byte for byte" [ "$(sum c xvdd)" = "$(md5sum <$image)" ]

step "nothing is left"
check "a base with clones is not removed" [ "$(xentmem base rm root >/dev/null 2>&1; echo $?)" = 4 ]
for name in a c; do guest_destroy $name; done
removed() { xentmem "$@"; }
for name in a b c work; do check "the disk $name is removed" wait_for 30 removed disk rm $name; done
for name in state root; do check "the base $name is removed" wait_for 30 removed base rm $name; done
check "memory comes back" wait_for 20 holds_at_most 16
check "every counter agrees with a full scan" xentmem stats --check
check "the daemon was started once" [ "$(daemon_starts)" = 1 ]
