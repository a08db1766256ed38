#!/usr/bin/env bash
# Clients that take all they can get of open files, fids, memory, locks and connections: another session goes on.
#
#   Tests/EndToEnd/starvation.sh
#
# Runs as an ordinary user. Needs scripts/build to have run; prints "ok" or "not ok" for each test.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages python3
need_programs
user timeout 500 /usr/bin/python3 "$programs/starvation.py" "$p9serve" "$work"
