#!/usr/bin/env bash
# Ordinary tools edit a tree while a client has it: what the client sees, on ext4, xfs, btrfs, tmpfs and ramfs.
#
#   Tests/EndToEnd/host-edits.sh [FILE-SYSTEM...]
#
# Server, client and tools run as an ordinary user. Root is needed to mount the file systems; without it, the file system
# at hand is the only one. Needs scripts/build to have run; prints "ok" or "not ok" for each test.
# shellcheck disable=SC2317 # the trap calls cleanup
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages python3 rsync git vim-tiny e2fsprogs xfsprogs btrfs-progs mount
need_programs

mounted=
cleanup() {
    [ -z "$mounted" ] || umount "$mounted" || umount -l "$mounted" || true
}
mkdir "$work/mnt"
failed=0

edits() {
    local name=$1 directory=$2
    shift 2
    install -d -m 755 "$directory"
    [ "$(id -u)" != 0 ] || chown "$developer_uid:$developer_gid" "$directory"
    if ! as_developer env XDG_STATE_HOME="$directory/state" GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 \
        timeout 300 python3 "$programs/host_edits.py" "$p9serve" "$directory" "$name" "$@"; then
        failed=1
        return 1
    fi
}

# Mounts a new file system of a kind on $work/mnt.
mount_new() {
    local kind=$1 image=$work/$1.img
    case $kind in
        tmpfs | ramfs) mount -t "$kind" "$kind" "$work/mnt" ;;
        *)
            truncate -s 512M "$image"
            case $kind in
                ext4) mke2fs -q -t ext4 "$image" ;;
                xfs) mkfs.xfs -q "$image" ;;
                btrfs) mkfs.btrfs -q "$image" ;;
            esac
            mount -o loop "$image" "$work/mnt"
            ;;
    esac
}

if [ "$(id -u)" != 0 ]; then
    kind=$(stat -f -c %T "$work")
    say "only root can mount other file systems: testing $kind alone"
    edits "$kind" "$work/files"
    exit $failed
fi
kinds=("$@")
[ ${#kinds[@]} -gt 0 ] || kinds=(ext4 xfs btrfs tmpfs ramfs)
for kind in "${kinds[@]}"; do
    if ! mount_new "$kind"; then
        not_ok "$kind: can't be mounted here"
        continue
    fi
    mounted=$work/mnt
    options=()
    [ "$kind" != ramfs ] || options=(--no-xattrs)
    edits "$kind" "$work/mnt/files" ${options[@]+"${options[@]}"} || true
    umount "$mounted"
    mounted=
    rm -f "$work/$kind.img"
done
exit $failed
