#!/usr/bin/env bash
# Import against GNU tar -x, its memory, and getattr with labels against one without: measured in pairs.
#
#   Tests/EndToEnd/import-speed.sh
#
# Everything runs as an ordinary user. Needs scripts/build to have run, and Tests/Lab/build-rootfs for a Debian; prints the
# numbers, and "ok" or "not ok" for each.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages python3 tar zstd
need_programs
debian=$("$usb9pfs_root/Tests/Lab/build-rootfs" | tail -n 1) || die "there is no Debian root filesystem, see above"

user mkdir "$work/files"
user python3 "$programs/import_speed.py" "$p9serve" "$work/files" "$debian"
