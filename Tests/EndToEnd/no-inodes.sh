#!/usr/bin/env bash
# Out of inodes, while there is room for data: ENOSPC for every request, and never a word of permissions.
#
# In namespaces of an ordinary user, on a tmpfs of its own. Needs scripts/build to have run.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_packages python3 util-linux tar
p9serve=${P9SERVE:-$usb9pfs_root/.build/release/p9serve}
work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
chmod 711 "$work"
mkdir "$work/lib" "$work/mnt" "$work/files"
cp "$usb9pfs_root/Tests/Python/p9.py" "$(dirname "$0")/lib/no_inodes.py" "$work/lib/"
touch "$work/files/a" "$work/files/b"
ln -s a "$work/files/link"
tar -C "$work/files" --owner 5 --group 6 -cf "$work/files.tar" a b link
chmod -R a+rX "$work"
# shellcheck disable=SC2016 # the inner shell's
as_developer env PYTHONDONTWRITEBYTECODE=1 timeout 120 unshare --user --map-root-user --mount bash -ec '
    mount -t tmpfs -o nr_inodes=48,size=16m,mode=755 none "$2/mnt"
    exec python3 "$2/lib/no_inodes.py" "$1" "$2/mnt" "$2/files.tar"' - "$p9serve" "$work"
