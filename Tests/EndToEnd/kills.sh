#!/usr/bin/env bash
# SIGKILL at random moments during imports, chown storms and creation storms: nothing is left by halves.
#
#   Tests/EndToEnd/kills.sh           50 kills; scripts/soak makes 500
#   KILLS=500 SEED=1 Tests/EndToEnd/kills.sh
#
# Everything runs as an ordinary user. Needs scripts/build to have run; prints "ok" or "not ok" for each kind of storm,
# and the seed of the random numbers.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_packages python3
p9serve=$usb9pfs_root/.build/release/p9serve
p9serve=${P9SERVE:-$p9serve}
[ -x "$p9serve" ] || die "there is no $p9serve: run scripts/build first"

work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
chmod 711 "$work"
install -d -m 755 "$work/lib" "$work/files"
cp "$usb9pfs_root/Tests/Python/p9.py" "$(dirname "$0")/lib/kills.py" "$work/lib/"
chmod 644 "$work"/lib/*
[ "$(id -u)" != 0 ] || chown "$developer_uid:$developer_gid" "$work/files"
as_developer env XDG_STATE_HOME="$work/files/state" PYTHONDONTWRITEBYTECODE=1 timeout 3600 \
    python3 "$work/lib/kills.py" "$p9serve" "$work/files" "${KILLS:-50}" "${SEED:-$RANDOM}"
