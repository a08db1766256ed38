#!/usr/bin/env bash
# A log that nobody reads any more does not end a program that owes a board an answer.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_programs

# Writes to a closed pipe all the while: `waiting for a board`, and at the end why it ends.
(
    code=0
    as_developer "$p9fwd" serve "$work" --timeout 1 || code=$?
    echo "$code" >"$work/code"
) 2>&1 | true
wait_for 60 test -s "$work/code" || true
# 141 would be SIGPIPE.
check_equal "with a closed standard error p9fwd times out as it would otherwise" 6 "$(cat "$work/code" 2>/dev/null || echo none)"
