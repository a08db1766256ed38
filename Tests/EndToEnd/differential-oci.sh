#!/usr/bin/env bash
# Container images as other tools read them: makes images of many kinds, imports each with p9serve, unpacks it with umoci, and
# compares names, kinds, contents, modes and targets of links.
#
#   Tests/EndToEnd/differential-oci.sh [NAME...]     only the images whose names begin so
#
# Each difference is listed in lib/differential_oci.py, with what p9serve does and why; one that isn't is "not ok", and so is a
# listed one that was gone. Random layers are also compared with the specification's rule itself: whiteouts first. Skopeo
# copies images into its other formats, which must give the same. Runs as an ordinary user; P9SERVE is another p9serve.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages python3 umoci skopeo
need_programs
cleanup() { chmod -R u+rwX "$work" 2>/dev/null; }
cd "$work"
user python3 "$programs/differential_oci.py" "$p9serve" "$@"
