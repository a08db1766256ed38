#!/usr/bin/env bash
# What p9serve serve costs: time until it listens, memory, descriptors.
#
#   Tests/EndToEnd/serve-resources.sh
#
# The server runs as an ordinary user. Needs scripts/build to have run; prints the numbers, and "ok" or "not ok" for each.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages python3
need_programs

mkdir "$work/tree" "$work/sockets"
for directory in $(seq 50); do
    mkdir "$work/tree/$directory"
    (cd "$work/tree/$directory" && seq 100 | xargs touch)
done
[ "$(id -u)" != 0 ] || chown -R "$developer_uid:$developer_gid" "$work/tree" "$work/sockets"
user /usr/bin/python3 "$programs/serve_resources.py" "$p9serve" "$work/tree" "$work/sockets"
