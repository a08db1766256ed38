#!/usr/bin/env bash
# SIGKILL at random moments during imports, chown storms and creation storms: nothing is left by halves.
#
#   Tests/EndToEnd/kills.sh           50 kills; scripts/soak makes 500
#   KILLS=500 SEED=1 Tests/EndToEnd/kills.sh
#
# Everything runs as an ordinary user. Needs scripts/build to have run; prints "ok" or "not ok" for each kind of storm,
# and the seed of the random numbers.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages python3
need_programs
user mkdir "$work/files"
user env XDG_STATE_HOME="$work/files/state" timeout 3600 \
    python3 "$programs/kills.py" "$p9serve" "$work/files" "${KILLS:-50}" "${SEED:-$RANDOM}"
