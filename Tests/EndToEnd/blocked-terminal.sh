#!/usr/bin/env bash
# A terminal that is blocked (Ctrl-S), and a pipe that nobody reads, delay neither a client nor the end of a program.
#
#   Tests/EndToEnd/blocked-terminal.sh
#
# All runs as an ordinary user. Needs scripts/build to have run; prints "ok" or "not ok" for each test.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages python3
need_programs
user mkdir "$work/trees"
user /usr/bin/python3 "$programs/blocked_terminal.py" "$p9serve" "$work/trees"
