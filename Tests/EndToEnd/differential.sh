#!/usr/bin/env bash
# Import side by side with GNU tar, bsdtar, Python's tarfile, cpio and unsquashfs, over archives with every odd field.
#
#   Tests/EndToEnd/differential.sh [CASE...]
#
# Where another program makes another tree of an archive, the table (lib/differential_cases.py) says why, and p9serve refuses the
# archive, warns, or follows a rule that docs/importing.md states. Everything runs as an ordinary user, under fakeroot.
# Needs scripts/build to have run; prints "ok" or "not ok" for each archive.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_packages python3 libarchive-tools tar cpio fakeroot squashfs-tools squashfs-tools-ng acl
p9serve=$usb9pfs_root/.build/release/p9serve
p9serve=${P9SERVE:-$p9serve}
[ -x "$p9serve" ] || die "there is no $p9serve: run scripts/build first"

work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
chmod 711 "$work"
install -d -m 755 "$work/lib" "$work/files"
cp "$(dirname "$0")"/lib/{archives,differential,differential_attributes,differential_cases}.py "$usb9pfs_root/docs/importing.md" "$work/lib/"
chmod 644 "$work"/lib/*
[ "$(id -u)" != 0 ] || chown "$developer_uid:$developer_gid" "$work/files"
as_developer env PYTHONDONTWRITEBYTECODE=1 fakeroot -- \
    python3 "$work/lib/differential.py" "$p9serve" "$work/files" "$work/lib/importing.md" "$@"
