#!/usr/bin/env bash
# Import side by side with GNU tar, bsdtar, Python's tarfile, cpio and unsquashfs, over archives with every odd field.
#
#   Tests/EndToEnd/differential.sh [CASE...]
#
# Where another program makes another tree of an archive, the table (lib/differential_cases.py) says why, and p9serve refuses the
# archive, warns, or follows a rule that docs/importing.md states. Everything runs as an ordinary user, under fakeroot.
# Needs scripts/build to have run; prints "ok" or "not ok" for each archive.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages python3 libarchive-tools tar cpio fakeroot squashfs-tools squashfs-tools-ng acl
need_programs

user mkdir "$work/files"
user fakeroot -- python3 "$programs/differential.py" "$p9serve" "$work/files" "$usb9pfs_root/docs/importing.md" "$@"
