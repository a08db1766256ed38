#!/usr/bin/env bash
# Out of inodes, while there is room for data: ENOSPC for every request, and never a word of permissions.
#
# In namespaces of an ordinary user, on a tmpfs of its own. Needs scripts/build to have run.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages python3 util-linux tar
need_programs
mkdir "$work/mnt" "$work/files"
touch "$work/files/a" "$work/files/b"
ln -s a "$work/files/link"
tar -C "$work/files" --owner 5 --group 6 -cf "$work/files.tar" a b link
chmod -R a+rX "$work"
# shellcheck disable=SC2016 # the inner shell's
user timeout 120 unshare --user --map-root-user --mount bash -ec '
    mount -t tmpfs -o nr_inodes=48,size=16m,mode=755 none "$2/mnt"
    exec python3 "$3" "$1" "$2/mnt" "$2/files.tar"' - "$p9serve" "$work" "$programs/no_inodes.py"
