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
. "$(dirname "$0")/../EndToEnd/lib/test.sh"
need_packages python3 libarchive-tools cpio zstd xz-utils e2fsprogs
need_programs
seconds=${FUZZ_SECONDS:-300}
user mkdir "$work/files"
user env XDG_STATE_HOME="$work/files/state" timeout $((4 * seconds + 600)) \
    python3 "$usb9pfs_root/Tests/Soak/fuzz.py" "$p9serve" "$work/files" "$usb9pfs_root/Fixtures/kernel-client" "$seconds" "${SEED:-$RANDOM}"
