#!/usr/bin/env bash
# p9gadget keeps the rules for a program that a root hangs on; and a board with little memory writes more than it has
# lab: timeout=600
# lab: drivers=program
# lab: image=blank
# lab: mem=160M
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
[ "$LAB_HOST" = p9fwd ] || fail "this scenario is about p9fwd"
keeper() { cat /run/usb9pfs-gadget/board-0.pid; }
processes() { pgrep -f -- '--pid /run/usb9pfs-gadget/board-0.pid'; }
# each NAME COMMAND...: ok if it succeeds for each of the processes, whose number is its last argument
each() {
    local process
    for process in $(processes); do "${@:2}" "$process" || { not_ok "$1" "not process $process"; return; }; done
    ok "$1"
}
# A word of a line of /proc/PID/status.
field() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$2/status"; }

image_mount /run/image
# The host's directory is on its disk: the memory is the board's.
install -d -o "$LAB_UID" -g "$LAB_GID" /run/image/root
mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir /sys/fs/cgroup/service

# As a service's process that is ended with all that is in its control group.
echo $$ >/sys/fs/cgroup/service/cgroup.procs
board_up 0 || fail "gadget up"
echo $$ >/sys/fs/cgroup/cgroup.procs
host_serve 0 /run/image/root || fail "serve"
check "mount" board_mount 0 /run/board cache=mmap
check_equal "nothing of it is in that group" "" "$(grep -Fxf <(processes) /sys/fs/cgroup/service/cgroup.procs)"
three() { [ "$(processes | wc -l)" = 3 ]; }
check "three processes" wait_for 20 three
echo 1 >/sys/fs/cgroup/service/cgroup.kill
check "its control group is not that of who has started it" three
# A PT_INTERP header names the loader of a program that is not.
check_equal "it is static" 0 "$(python3 - "$P9GADGET" <<'PROGRAM'
import struct, sys
data = open(sys.argv[1], "rb").read()
table, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
print(sum(struct.unpack_from("<I", data, table + n * size)[0] == 3 for n in range(count)))
PROGRAM
)"
check_equal "one file, below 1 MiB" 1 "$(find -L "$P9GADGET" -size -1024k | wc -l)"

is_marked() { [ "$(head -c 1 "/proc/$1/cmdline")" = @ ]; }
is_spared() { [ "$(cat "/proc/$1/oom_score_adj")" = -1000 ]; }
# All of it, but for the kernel's own pages, which can't be locked.
is_locked() { [ "$(field VmLck "$1")" -ge $(($(field VmSize "$1") - 64)) ] && [ "$(field VmRSS "$1")" -gt 1000 ]; }
# PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE (include/linux/sched.h), of each thread.
flushes() {
    local task flags
    for task in "/proc/$1/task"/*; do
        flags=$(awk '{ sub(/.*\) /, ""); print $7 }' "$task/stat")
        [ $((flags & 0x180000)) = $((0x180000)) ] || return
    done
}
# Endpoints and sockets have no path; of the rest none may be a file of a disk or of the mount.
opens_nothing() {
    ! find "/proc/$1/fd" -type l -printf '%l\n' | grep -vE '^(/dev/(null|kmsg)|/run/usb9pfs-gadget/.*|socket:.*|pipe:.*|anon_inode:.*|/ep[012])$' &&
        [ "$(readlink "/proc/$1/cwd")" = / ]
}
has_no_terminal() { [ "$(awk '{ sub(/.*\) /, ""); print $5 }' "/proc/$1/stat")" = 0 ]; } # no terminal
rules() {
    each "$1: argv[0] begins with @, for systemd" is_marked
    each "$1: oom_score_adj" is_spared
    each "$1: all of its memory is locked" is_locked
    each "$1: PR_SET_IO_FLUSHER, each thread" flushes
    each "$1: nothing of a disk is open, no syslog" opens_nothing
    each "$1: no terminal" has_no_terminal
}
rules "at first"
memory() { for process in $(processes); do echo "$process $(field VmSize "$process") $(field VmData "$process") $(field Threads "$process")"; done; }
before=$(memory)

# More than the board's memory, while others take what is left and dirty pages wait for the program.
mebibytes=192
hog() { while :; do python3 -c 'import time; held = [bytearray(1 << 20) for _ in range(24)]; time.sleep(1)'; done; }
hog >/dev/null 2>&1 &
hog=$!
cat >/run/lab/write.py <<'PROGRAM'
import hashlib, os, sys
written = hashlib.sha256()
with open(sys.argv[1], "wb", buffering=0) as file:
    for number in range(int(sys.argv[2])):
        block = hashlib.shake_128(b"%d" % number).digest(1 << 20)
        written.update(block)
        file.write(block)
        if number % 8 == 7: print(number + 1, file=open(sys.argv[3], "w"))
    os.fsync(file.fileno())
print(written.hexdigest())
PROGRAM
python3 /run/lab/write.py /run/board/large $mebibytes /run/lab/progress >/run/lab/written 2>/run/lab/write.log &
if watch_progress $! /run/lab/progress 120; then
    ok "$mebibytes MiB are written, with $(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo) MiB of memory and hogs"
else
    not_ok "$mebibytes MiB are written" "at $(cat /run/lab/progress) MiB: $(cat /run/lab/write.log)"
fi
kill $hog
check "that is more than the memory" test $((mebibytes * 1024)) -gt "$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)"
check_equal "the host has what was written" "$(cat /run/lab/written)" "$(sha256sum </run/image/root/large | cut -d ' ' -f 1)"
check_equal "the board reads it" "$(cat /run/lab/written)" "$(sha256sum </run/board/large | cut -d ' ' -f 1)"
check_equal "nothing was allocated meanwhile" "$before" "$(memory)"
rules "at last"
check "none of it was killed for memory" not grep -q 'Killed process.*p9gadget' <(dmesg)
check "unmount" umount /run/board
check "gadget down" board_down 0
host_stop 0
dmesg_clean
