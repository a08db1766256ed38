#!/usr/bin/env bash
# writes and reads of every size 1..2100 and many around packet and page sizes; a large file both ways ([MIB], default 256)
# lab: mem=2G
# lab: timeout=1500
# lab: drivers=kernel program
#
# A 9P message whose size is a multiple of the packet size needs a zero-length packet, which the kernel tree's
# p9_fwd.py does not take from the gadget: with --host baseline this stops at 489 bytes for good.
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
mib=${1:-256}

tree=$(export_directory root)
board_up 0 || fail "gadget up"
host_serve 0 "$tree" || fail "serve"
board_mount 0 /run/board || fail "mount"

python3 "$LAB/scenarios/sizes.py" /run/board "$tree" /run/lab/progress >/run/lab/sizes.log 2>&1 &
if watch_progress $! /run/lab/progress 60; then
    ok "every size: $(cat /run/lab/sizes.log)"
elif kill -0 $! 2>/dev/null; then
    fail "every size" "the board hangs at: $(cat /run/lab/progress)"
else
    not_ok "every size" "$(cat /run/lab/sizes.log)"
fi
rm -f /run/board/sizes

# The large file: to the board's mount in whole messages, hashed on the host; then read back and hashed on the board.
head -c "${mib}M" /dev/urandom >/run/lab/large
start=$(uptime_seconds)
dd if=/run/lab/large of=/run/board/large bs=1M status=none &
writer=$!
(while sleep 5; do stat -c %s "$tree/large" >/run/lab/progress; done) 2>/dev/null &
sampler=$!
watch_progress $writer /run/lab/progress 60 || fail "$mib MiB, board to host" "hangs at $(cat /run/lab/progress) bytes"
end=$(uptime_seconds)
written=$(sha256sum </run/lab/large | cut -d ' ' -f 1)
check_equal "$mib MiB, board to host" "$written" "$(sha256sum <"$tree/large" | cut -d ' ' -f 1)"
kill $sampler
echo "# $mib MiB written, $(awk "BEGIN { printf \"%.1f\", $mib / ($end - $start) }") MiB/s"

start=$(uptime_seconds)
check_equal "$mib MiB, host to board" "$written" "$(sha256sum </run/board/large | cut -d ' ' -f 1)"
end=$(uptime_seconds)
echo "# $mib MiB read, $(awk "BEGIN { printf \"%.1f\", $mib / ($end - $start) }") MiB/s"
check "unmount" umount /run/board
host_stop 0
dmesg_clean
