#!/usr/bin/env bash
# Container images as other tools read them: makes images of many kinds, imports each with p9serve, unpacks it with umoci, and
# compares names, kinds, contents, modes and targets of links.
#
#   Tests/EndToEnd/differential-oci.sh [NAME...]     only the images whose names begin so
#
# Each difference is listed in lib/differential_oci.py, with what p9serve does and why; one that isn't is "not ok", and so is a
# listed one that is no more. Random layers are also compared with the specification's rule itself: whiteouts first. Skopeo
# copies images into its other formats, which must give the same. Runs as an ordinary user; P9SERVE is another p9serve.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_packages python3 umoci skopeo
p9serve=${P9SERVE:-$usb9pfs_root/.build/release/p9serve}
[ -x "$p9serve" ] || die "there is no $p9serve: run scripts/build first"
work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'chmod -R u+rwX "$work" 2>/dev/null || true; rm -rf "$work"' EXIT
chmod 755 "$work"
cp "$(dirname "$0")/lib/differential_oci.py" "$work/"
chmod 644 "$work/differential_oci.py"
[ "$(id -u)" != 0 ] || chown "$developer_uid:$developer_gid" "$work"
cd "$work"
umask 022
as_developer env HOME="$work" python3 differential_oci.py "$p9serve" "$@"
