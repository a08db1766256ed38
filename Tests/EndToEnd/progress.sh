#!/usr/bin/env bash
# Progress on terminals of 80 and 40 columns, and Ctrl-C in every phase of export, import, check and convert.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_packages python3 squashfs-tools-ng
work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
# Where everybody may write no database is beside a tree.
chmod 755 "$work"
[ "$(id -u)" != 0 ] || chown "$developer_uid:$developer_gid" "$work"
export PYTHONDONTWRITEBYTECODE=1
as_developer python3 "$usb9pfs_root/Tests/EndToEnd/lib/progress.py" \
    "${P9SERVE:-$usb9pfs_root/.build/release/p9serve}" "$work"
