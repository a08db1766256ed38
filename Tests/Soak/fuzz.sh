#!/usr/bin/env bash
# Wrong bytes for a long time: images, archives and 9P messages. Whatever they say, there is an answer, soon; nothing
# crashes, nothing is left behind, nothing gets out, and others are served meanwhile.
#
#   Tests/Soak/fuzz.sh                          ten minutes
#   FUZZ_SECONDS=60 SEED=1 Tests/Soak/fuzz.sh   two kinds of input, a minute each
#
# Everything runs as an ordinary user. Needs scripts/build to have run; prints "ok" or "not ok" for each kind of input, and the
# seed of the random numbers.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_packages python3 libarchive-tools cpio zstd xz-utils e2fsprogs
p9serve=${P9SERVE:-$usb9pfs_root/.build/release/p9serve}
[ -x "$p9serve" ] || die "there is no $p9serve: run scripts/build first"
seconds=${FUZZ_SECONDS:-300}

work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
chmod 711 "$work"
install -d -m 755 "$work/lib" "$work/files" "$work/frames"
cp "$usb9pfs_root/Tests/Python/p9.py" "$usb9pfs_root/Tests/Soak/fuzz.py" "$work/lib/"
cp "$usb9pfs_root"/Fixtures/kernel-client/*-T*.hex "$work/frames/"
chmod 644 "$work"/lib/* "$work"/frames/*
[ "$(id -u)" != 0 ] || chown "$developer_uid:$developer_gid" "$work/files"
as_developer env XDG_STATE_HOME="$work/files/state" PYTHONDONTWRITEBYTECODE=1 timeout $((4 * seconds + 600)) \
    python3 "$work/lib/fuzz.py" "$p9serve" "$work/files" "$work/frames" "$seconds" "${SEED:-$RANDOM}"
