#!/usr/bin/env bash
# Progress on terminals of 80 and 40 columns, and Ctrl-C in every phase of export, import, check and convert.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages python3 squashfs-tools-ng
need_programs
user python3 "$programs/progress.py" "$p9serve" "$work"
