#!/usr/bin/env bash
# Clients that take all they can get of open files, fids, memory, locks and connections: another session goes on.
#
#   Tests/EndToEnd/starvation.sh
#
# Runs as an ordinary user. Needs scripts/build to have run; prints "ok" or "not ok" for each test.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"

need_packages python3
p9serve=${P9SERVE:-$usb9pfs_root/.build/release/p9serve}
[ -x "$p9serve" ] || die "there is no $p9serve: run scripts/build first"
work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cp "$(dirname "$0")/lib/starvation.py" "$usb9pfs_root/Tests/Python/p9.py" "$work/"
chmod 644 "$work"/*.py
[ "$(id -u)" != 0 ] || chown "$developer_uid:$developer_gid" "$work"
as_developer timeout 500 /usr/bin/python3 "$work/starvation.py" "$p9serve" "$work"
