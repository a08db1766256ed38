#!/usr/bin/env bash
# --driver program: p9gadget as the board's end; mounts again and again, a pulled cable, a crash, a host that comes late
# lab: timeout=600
# lab: packages=dash
# shellcheck source=../gadgets.sh
. "$LAB/gadgets.sh"
[ "$LAB_HOST" = p9fwd ] || fail "this scenario is about p9fwd" # the other one does not see a board come back
host_program "$P9GADGET"
mkdir /run/path && ln -s "$P9GADGET" /run/path/p9gadget
PATH=$PATH:/run/path
tree=$(export_directory root)
head -c 8M /dev/urandom >"$tree/large"
echo content >"$tree/file"
chown -R "$LAB_UID:$LAB_GID" "$tree"
port() { echo "$1" | tee /sys/devices/platform/dummy_hcd.0/usb*/*-0:1.0/usb*-port1/disable >/dev/null; }
mounted() { grep -c " /run/board 9p .*trans=unix" /proc/mounts; }
keeper() { cat /run/usb9pfs-gadget/board-0.pid; }
# The process that carries messages: the keeper's first child; the second waits for its turn.
carrier() { pgrep -P "$(keeper)" | head -n 1; }
logged() { dmesg | grep -c "p9gadget: $1"; }
# shellcheck disable=SC2016 # expanded by the inner shell
read_all() { timeout 120 sh -c 'for i in 1 2 3 4; do cmp "$1/large" "$2/large" & done; wait' sh "$tree" /run/board; }

cat >/run/lab/readers.py <<'PROGRAM'
import os, sys, threading, time
board, host = (os.open(path, os.O_RDONLY) for path in sys.argv[1:])
open("/run/lab/opened", "w").close()
while not os.path.exists("/run/lab/go"):
    time.sleep(0.01)
right = []
def read(offset):
    if os.pread(board, 65536, offset) == os.pread(host, 65536, offset):
        right.append(offset)
readers = [threading.Thread(target=read, args=(n << 20,)) for n in range(8)]
for reader in readers: reader.start()
for reader in readers: reader.join(60)
print(len(right), "of 8 are right", flush=True)
os._exit(0) # some may hang
PROGRAM

for shell in dash "busybox ash"; do
    run 2 "a driver that there is not" up --tag board-0 --driver other
    up --driver program --no-wait
    take_status
    status_is driver program
    status_is functions usb9pfs
    status_is down_is_safe True
    run 0 "down with a host, never mounted" down --tag board-0
    check_equal "$shell: nothing is left" "" "$(ls $gadgets)$(ls /run/usb9pfs-gadget)"

    up # takes the program by itself
    said "driver: program"
    run 5 "another driver" up --tag board-0 --driver kernel
    said "its usb9pfs is by the driver 'program', asked for is 'kernel'. Take it down first: usb9pfs-gadget down --tag board-0"
    for driver in program auto; do run 0 "the same driver, asked for as $driver" up --tag board-0 --driver $driver --no-wait; done
    check "$shell: the host sees it" wait_for 60 board_configured 0
    usb_permissions
    # shellcheck disable=SC2086 # "busybox ash" is two words
    $shell "$gadget_script" up --tag board-0 --mount /run/board >/run/lab/first.log 2>&1 &
    first=$!
    check "$shell: a mount that nobody answers" wait_for 60 grep -q "mounting 'board-0'" /run/lab/first.log
    sleep 1
    check_equal "$shell: waits" 0 "$(mounted)"
    kill -TERM $first
    wait $first
    check_equal "$shell: and is broken off" "130 0" "$? $(mounted)"
    check "$shell: wholly" wait_for 20 eval '! pgrep -f "p9gadget mount" >/dev/null'
    run 0 "down, with a mount that nobody answers" down --tag board-0
    up
    check "$shell: the host sees it" wait_for 60 board_configured 0
    usb_permissions
    # shellcheck disable=SC2086 # "busybox ash" is two words
    $shell "$gadget_script" up --tag board-0 --mount /run/board >/run/lab/first.log 2>&1 &
    first=$!
    check "$shell: a mount that nobody answers" wait_for 60 grep -q "mounting 'board-0'" /run/lab/first.log
    sleep 1
    run 8 "another one" up --tag board-0 --mount /run/board
    run 0 "down takes the mount along" down --tag board-0
    wait $first
    check "$shell: wholly" wait_for 20 eval '! pgrep -f "p9gadget mount" >/dev/null'
    up
    check "$shell: the host sees it" wait_for 60 board_configured 0
    usb_permissions
    host_serve 0 "$tree" || fail "serve"
    run 0 "a mount" up --tag board-0 --mount /run/board -o trans=usbg,cache=none
    check_equal "$shell: mounted once, by the program" 1 "$(mounted)"
    run 0 "the same again" up --tag board-0 --mount /run/board
    said "already mounted"
    run 8 "a second place" up --tag board-0 --mount /run/lab
    run 8 "down while mounted" down --tag board-0
    kill -TERM "$(keeper)"
    check "$shell: read by four" read_all
    check "$shell: write" cp "$tree/large" /run/board/copy
    check "$shell: the same on the host" cmp "$tree/large" "$tree/copy"
    check "$shell: unmount" umount /run/board
    run 0 "a mount again, without anything made anew" up --tag board-0 --mount /run/board -o cache=none
    check_equal "$shell: it reads" content "$(cat /run/board/file)"

    # Idle: p9fwd keeps the session, and the board sends what it has to say when the host is back.
    port 1
    check "$shell: the cable is out" wait_for 60 board_gone 0
    timeout 60 cat /run/board/file >/run/lab/late 2>&1 &
    late=$!
    sleep 1
    check "$shell: a read waits" kill -0 $late
    port 0
    wait $late
    check_equal "$shell: and is answered when the cable is in again" "0 content" "$? $(cat /run/lab/late)"

    before=$(logged "the process that carried the messages has ended; another one goes on")
    kill -SEGV "$(carrier)"
    check_equal "$shell: after a crash it reads" content "$(timeout 60 cat /run/board/file)"
    # With a host that has stopped: one request is with it, one is being sent, others wait. The successor sends what it finds
    # unsent, and asks for what is lost.
    rm -f /run/lab/opened /run/lab/go /run/lab/read
    python3 /run/lab/readers.py /run/board/large "$tree/large" >/run/lab/read 2>&1 &
    reading=$!
    check "$shell: a file is open" wait_for 60 test -e /run/lab/opened
    kill -STOP "$(cat /run/lab/host-0.pids)"
    touch /run/lab/go
    sleep 1
    check "$shell: the successor's crash" kill -KILL "$(carrier)"
    sleep 1
    kill -CONT "$(cat /run/lab/host-0.pids)"
    wait $reading
    check_equal "$shell: all reads of that time are right" "0 8 of 8 are right" "$? $(cat /run/lab/read)"
    check "$shell: after that, by four" read_all
    check_equal "$shell: the board's log says so" $((before + 2)) "$(logged "the process that carried the messages has ended; another one goes on")"
    check "$shell: unmount" umount /run/board
    down
    host_stop 0
done
# With the kernel's driver that waits to join: a gadget that a host has configured could not go down.
up --driver kernel --function ncm --function usb9pfs --no-wait --defer-usb9pfs
run 5 "another driver than the kernel's" up --tag board-0 --driver program
said "its usb9pfs is by the driver 'kernel', asked for is 'program'"
run 0 "the same driver" up --tag board-0 --driver kernel --no-wait
down
check_equal "systemd will spare it" "@" "$(up --no-wait >/dev/null; head -c 1 "/proc/$(keeper)/cmdline")"
check_equal "the kernel won't kill it for memory" -1000 "$(cat "/proc/$(keeper)/oom_score_adj")"
check "all of it stays in memory" test "$(awk '/^VmLck:/ { print $2 }' "/proc/$(keeper)/status")" -gt 1000
down
dmesg_clean
