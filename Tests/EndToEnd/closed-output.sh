#!/usr/bin/env bash
# A log that nobody reads any more does not end a program that owes a board an answer.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
bin=$usb9pfs_root/.build/release
work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
# Where everybody may write no database is beside a tree.
chmod 755 "$work"
[ "$(id -u)" != 0 ] || chown "$developer_uid:$developer_gid" "$work"

# Writes to a closed pipe all the while: `waiting for a board`, and at the end why it ends.
(
    code=0
    as_developer "${P9FWD:-$bin/p9fwd}" serve "$work" --timeout 1 || code=$?
    echo "$code" >"$work/code"
) 2>&1 | true
for _ in $(seq 600); do
    [ -s "$work/code" ] && break
    sleep 0.1
done
code=$(cat "$work/code" 2>/dev/null || echo none)
# 141 would be SIGPIPE.
if [ "$code" = 6 ]; then
    echo "ok p9fwd times out as it would otherwise"
else
    echo "not ok p9fwd with a closed standard error: exit code $code, not 6"
fi
