#!/usr/bin/env bash
# Import against GNU tar -x, its memory, and getattr with labels against one without: measured in pairs.
#
#   Tests/EndToEnd/import-speed.sh
#
# Everything runs as an ordinary user. Needs scripts/build to have run, and Tests/Lab/build-rootfs for a Debian; prints the
# numbers, and "ok" or "not ok" for each.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_packages python3 tar zstd
p9serve=$usb9pfs_root/.build/release/p9serve
p9serve=${P9SERVE:-$p9serve}
[ -x "$p9serve" ] || die "there is no $p9serve: run scripts/build first"
debian=$("$usb9pfs_root/Tests/Lab/build-rootfs" | tail -n 1) || die "there is no Debian root filesystem, see above"

work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
chmod 711 "$work"
install -d -m 755 "$work/lib" "$work/files"
cp "$usb9pfs_root/Tests/Python/p9.py" "$(dirname "$0")/lib/import_speed.py" "$work/lib/"
chmod 644 "$work"/lib/*
[ "$(id -u)" != 0 ] || chown "$developer_uid:$developer_gid" "$work/files"
as_developer env PYTHONDONTWRITEBYTECODE=1 python3 "$work/lib/import_speed.py" "$p9serve" "$work/files" "$debian"
