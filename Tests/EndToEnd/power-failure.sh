#!/usr/bin/env bash
# What a power failure leaves of an import, an export and a converted copy that have just said that they are done: all of it.
# An ext4 file system is shut down under them, so that nothing more reaches its disk (a file); then it is mounted again.
#
#   Tests/EndToEnd/power-failure.sh
#
# Needs root (sudo), for loop devices and mounts.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_root "$@"
# Else a mount namespace that somebody makes meanwhile would keep the file system mounted.
[ -n "${POWER_FAILURE_NAMESPACE:-}" ] || POWER_FAILURE_NAMESPACE=1 exec unshare --mount "$0"
. "$(dirname "$0")/lib/test.sh"
need_packages python3 e2fsprogs mount
need_programs
disk=$work/disk
cleanup() { ! mountpoint -q "$disk" || umount -l "$disk"; }
mkdir "$disk"

# Nothing reaches the disk for the time that passes: the journal is written when somebody asks for it.
mount_disk() { mount -o loop,commit=36000 "$work/image" "$disk"; }
new_disk() {
    truncate -s 256M "$work/image"
    mkfs.ext4 -q -F "$work/image"
    mount_disk
    chown "$developer_uid:$developer_gid" "$disk"
}
# EXT4_IOC_SHUTDOWN without flushing the journal: what memory has is lost.
power_failure() {
    python3 - "$disk" <<'PY'
import fcntl, os, struct, sys
directory = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(directory, 0x8004587D, struct.pack("I", 2))
PY
    cp --sparse=always "$work/image" "$work/copy" # what the disk has now
    umount "$disk"
    mv "$work/copy" "$work/image"
    mount_disk
}
no_disk() {
    umount "$disk"
    rm "$work/image"
}
user() { as_developer env HOME="$disk" "$@"; }
# Every file's path, mode, size and hash.
digest() { (cd "$1" && find . -type f -printf '%P %m %s ' -exec sha256sum {} \; | sed "s, \./.*,," | sort | sha256sum); }

python3 - "$work/tree.tar" <<'PY'
import io, random, sys, tarfile
random.seed(1)
with tarfile.open(sys.argv[1], "w") as archive:
    for number in range(500):
        info = tarfile.TarInfo(f"d{number % 7}/file{number}")
        info.size, info.mode, info.uid = random.randrange(20000), (0o644, 0o4755)[number % 2], number % 3
        archive.addfile(info, io.BytesIO(random.randbytes(info.size)))
    link = tarfile.TarInfo("link")
    link.type, link.linkname, link.uid = tarfile.SYMTYPE, "d0", 5
    archive.addfile(link)
PY
chmod 644 "$work/tree.tar"

new_disk
user "$p9serve" import -q "$work/tree.tar" "$disk/tree"
before=$(digest "$disk/tree")
power_failure
check_equal "import: every file is there, with its content" "$before" "$(digest "$disk/tree")"
check_equal "import: so is what it remembers" 1 "$(user "$p9serve" check "$disk/tree" >"$work/report" 2>&1 && grep -c 'nothing has changed' "$work/report")"
check_equal "import: a symbolic link's owner" 1 "$(user "$p9serve" stat --json "$disk/tree/link" | grep -c '"uid": 5')"

user "$p9serve" export -q "$disk/tree" "$disk/tree.tar"
user "$p9serve" export -q "$disk/tree" "$disk/tree.oci" --platform linux/amd64
archive=$(sha256sum <"$disk/tree.tar") layout=$(digest "$disk/tree.oci")
power_failure
check_equal "export: an archive" "$archive" "$(sha256sum <"$disk/tree.tar")"
check_equal "export: an OCI layout" "$layout" "$(digest "$disk/tree.oci")"

user "$p9serve" import -q "$work/tree.tar" "$disk/other"
user "$p9serve" convert -q "$disk/other" --from override-stat --to rsync --output "$disk/copy"
before=$(digest "$disk/copy")
power_failure
check_equal "convert: a copy" "$before" "$(digest "$disk/copy")"
no_disk

# That this can go wrong, here, is what the rest shows: or the checks above would tell nothing.
new_disk
user "$p9serve" import -q --no-sync "$work/tree.tar" "$disk/tree"
before=$(digest "$disk/tree")
power_failure
after=$(digest "$disk/tree" 2>/dev/null || echo gone)
check_equal "import --no-sync does not wait for the disk" lost "$([ "$after" != "$before" ] && echo lost)"
