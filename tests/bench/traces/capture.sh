# SPDX-License-Identifier: LGPL-2.1-or-later
# capture: a guest works on a disk of dom0's, and what it asks of the disk is recorded.
# Argument: build or files. Started by tests/bench/traces/capture.
. /testbed/lib.sh

workload=$1

# What is done in pass number $pass, in the guest. The compiler and what it reads are 60 MiB, the
# guest's cache is less.
build() {
    cat <<'WORK'
dirs="protocol xenstore-schema daemon/util daemon/store daemon/engine daemon/session daemon/control"
dir=$(echo $dirs | cut -d ' ' -f $pass)
chroot /mnt /bin/bash -c "cd /src && make -s BUILD=/tmp/out CFLAGS=-O0 SHELL=/bin/bash \
    \$(echo $dir/*.c | sed 's| | /tmp/out/obj/|g; s|^|/tmp/out/obj/|; s|[.]c|.o|g')"
WORK
}

# Somebody works on a tree of headers: looks for words, some of them again and again, edits,
# copies, and makes archives.
files() {
    cat <<'WORK'
cd /mnt/usr/include
ls -d */ | sort | awk -v seed=$pass 'BEGIN { srand(seed) } { if (rand() < 0.3) print }' >/tmp/some
xargs grep -rlw EINVAL </tmp/some >/tmp/found
head -n 40 /tmp/found | xargs sed -i 's/EINVAL/EINVAL/'
rm -rf /mnt/tmp/copy && mkdir -p /mnt/tmp/copy && head -n 12 /tmp/some | xargs -I{} cp -r {} /mnt/tmp/copy
tar cf /mnt/tmp/archive-$((pass % 2)).tar linux asm-generic xen
grep -rc struct linux xen | sort -t : -k 2 -n | tail -n 20 | cut -d : -f 1 >/tmp/best
for again in 1 2 3; do xargs md5sum </tmp/best >/dev/null; done
sync
WORK
}

step "attaching a disk of dom0's to a guest"
losetup /dev/loop0 /disk || exit
GUEST_CONFIG='disk = [ "format=raw,vdev=xvda,access=rw,target=/dev/loop0" ]' guest_start worker $guest_type 1 184 || exit
check "the guest has mounted its disk" guest_run worker '
    mkdir -p /mnt && mount -t ext4 -o noatime /dev/xvda /mnt && mount -t proc proc /mnt/proc && mount -t tracefs t /sys/kernel/tracing' || exit

step "tracing"
guest_run worker 'cd /sys/kernel/tracing && echo 4096 >buffer_size_kb && echo 1 >events/block/block_rq_issue/enable' || exit
# TASK-PID [CPU] FLAGS SECONDS: block_rq_issue: MAJOR,MINOR OPS BYTES () SECTOR + NR [TASK]
cat >/run/recorder <<'AWK'
match($0, /[0-9.]+: block_rq_issue: /) {
    split(substr($0, RSTART), f, " ")
    if (f[3] == "202,0" && f[4] ~ /[RW]/ && f[9] > 0)
        printf "%.3f %s %d %d\n", f[1], f[4] ~ /W/ ? "W" : "R", f[7], f[9]
}
AWK
guest_run worker "cat >/run/recorder <<'AWK'
$(cat /run/recorder)
AWK
(cat /sys/kernel/tracing/trace_pipe | awk -f /run/recorder >/run/trace) >/dev/null 2>&1 &" || exit
$workload >/run/work
for pass in 1 2 3 4 5 6 7; do
    step "the guest works: $workload, pass $pass of 7"
    output=$(guest_run -t 1200 worker "pass=$pass; $(cat /run/work)")
    [ $? -eq 0 ] || { not_ok "the work is done"; echo "$output" | tail -n 20; exit 1; }
done

step "the record"
guest_run worker 'sync; sleep 3; echo 0 >/sys/kernel/tracing/events/block/block_rq_issue/enable; sleep 3
    kill $(pidof cat); sleep 1; gzip -9 </run/trace >/run/trace.gz' || exit
note "$(guest_run worker 'grep MemTotal /proc/meminfo; wc -l </run/trace; cat /sys/kernel/tracing/per_cpu/cpu0/stats' | tr '\n' ' ')"
at=0 # 32 KiB at a time: what a command may say has a limit
while piece=$(guest_run worker "dd if=/run/trace.gz bs=32k skip=$at count=1 2>/dev/null | base64 -w 200") && [ -n "$piece" ]; do
    echo "$piece" | while IFS= read -r line; do note "trace $line"; done
    at=$((at + 1))
done
check "there is a record" [ $at -gt 0 ]
