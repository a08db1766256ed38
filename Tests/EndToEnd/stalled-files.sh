#!/usr/bin/env bash
# A file system under one export that doesn't answer: the other exports go on, and in the same export the other files.
#
#   Tests/EndToEnd/stalled-files.sh
#
# The file system is one in user space that stops when it is told to; mounting it needs root (sudo). The server runs as an ordinary
# user. Needs scripts/build to have run; prints "ok" or "not ok" for each test.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_root "$@"
need_packages python3
p9serve=${P9SERVE:-$usb9pfs_root/.build/release/p9serve}
[ -x "$p9serve" ] || die "there is no $p9serve: run scripts/build first"
if [ ! -e /dev/fuse ]; then
    echo "skipped stalled-files: there is no /dev/fuse"
    exit 0
fi
work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'umount -l "$work/stuck" 2>/dev/null || true; rm -rf "$work"' EXIT
chmod 755 "$work"
chown "$developer_uid:$developer_gid" "$work"
PYTHONPATH=$usb9pfs_root/Tests/Python timeout 300 /usr/bin/python3 "$usb9pfs_root/Tests/EndToEnd/lib/stalled_files.py" "$p9serve" "$work" "$developer_uid"
