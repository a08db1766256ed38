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
. "$(dirname "$0")/lib/test.sh"
need_packages python3
need_programs
if [ ! -e /dev/fuse ]; then
    echo "skipped stalled-files: there is no /dev/fuse"
    exit 0
fi
cleanup() { umount -l "$work/stuck" 2>/dev/null; }
timeout 300 /usr/bin/python3 "$programs/stalled_files.py" "$p9serve" "$work" "$developer_uid"
