#!/usr/bin/env bash
# What p9serve serve costs: time until it listens, memory, descriptors.
#
#   Tests/EndToEnd/serve-resources.sh
#
# The server runs as an ordinary user. Needs scripts/build to have run; prints the numbers, and "ok" or "not ok" for each.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"

need_packages python3
p9serve=${P9SERVE:-$usb9pfs_root/.build/release/p9serve}
[ -x "$p9serve" ] || die "there is no $p9serve: run scripts/build first"

work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
install -d -m 755 "$work/tree" "$work/sockets"
for directory in $(seq 50); do
    mkdir "$work/tree/$directory"
    (cd "$work/tree/$directory" && seq 100 | xargs touch)
done
if [ "$(id -u)" = 0 ]; then
    chmod 711 "$work"
    chown -R "$developer_uid:$developer_gid" "$work/tree" "$work/sockets"
fi
cp "$(dirname "$0")/lib/serve_resources.py" "$work/"
chmod 644 "$work/serve_resources.py"
as_developer /usr/bin/python3 "$work/serve_resources.py" "$p9serve" "$work/tree" "$work/sockets"
