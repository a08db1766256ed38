#!/usr/bin/env bash
# A terminal that is blocked (Ctrl-S), and a pipe that nobody reads, hold up neither a client nor the end of a program.
#
#   Tests/EndToEnd/blocked-terminal.sh
#
# All runs as an ordinary user. Needs scripts/build to have run; prints "ok" or "not ok" for each test.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"

need_packages python3
p9serve=${P9SERVE:-$usb9pfs_root/.build/release/p9serve}
[ -x "$p9serve" ] || die "there is no $p9serve: run scripts/build first"

work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
install -d -m 755 "$work/trees"
if [ "$(id -u)" = 0 ]; then
    chmod 755 "$work"
    chown "$developer_uid:$developer_gid" "$work/trees"
fi
cp "$usb9pfs_root/Tests/Python/p9.py" "$(dirname "$0")/lib/blocked_terminal.py" "$work/"
chmod 644 "$work"/*.py
as_developer env PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$work/blocked_terminal.py" "$p9serve" "$work/trees"
