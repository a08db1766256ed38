#!/usr/bin/env bash
# A Debian root filesystem goes through import and export: archive in, archive out, and the same through the images.
#
#   Tests/EndToEnd/round-trip.sh [KIND...]      of: tar cpio squashfs ext4 oci oci-archive
#
# The archive has devices, setuid programs, capabilities, ACLs, hard links, owners of files and of symbolic links, and what else
# one can have. Compared are the listings of bsdtar (mtree with every keyword) and all fields that Python's tarfile knows,
# extended attributes included. Images are read by other people's tools where these keep everything, and imported again.
# Everything runs as an ordinary user. Needs scripts/build to have run; prints "ok" or "not ok" for each test.
# shellcheck disable=SC2317 # the functions are called by check
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_packages python3 libarchive-tools tar squashfs-tools-ng e2fsprogs
p9serve=$usb9pfs_root/.build/release/p9serve
p9serve=${P9SERVE:-$p9serve}
[ -x "$p9serve" ] || die "there is no $p9serve: run scripts/build first"
debian=$("$usb9pfs_root/Tests/Lab/build-rootfs" | tail -n 1) || die "there is no Debian root filesystem, see above"
kinds=("$@")
[ ${#kinds[@]} -gt 0 ] || kinds=(tar cpio squashfs ext4 oci oci-archive)

work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cp "$(dirname "$0")/lib/round_trip.py" "$work/"
chmod 644 "$work/round_trip.py"
[ "$(id -u)" != 0 ] || chown "$developer_uid:$developer_gid" "$work"
cd "$work"
failed=0

# Runs a command; its exit code decides.
check() {
    local name=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        echo "ok $name"
        return 0
    fi
    failed=1
    echo "not ok $name"
    sed 's/^/    /' "$work/output" | tail -n 40
    return 1
}

compare() { as_developer python3 "$work/round_trip.py" "$@"; }
listing() { as_developer bsdtar -cf "$2" --format=mtree --options=all "@$1"; }
same_listing() { listing "$1" "$1.mtree" && compare mtree "${@:2}" original.tar.mtree "$1.mtree"; }
export_tree() { as_developer "$p9serve" export "$1" "$2"; }
import() { as_developer "$p9serve" import --quiet "$1" "$2"; }

as_developer cp "$debian" original.tar
as_developer chmod 644 original.tar
as_developer python3 round_trip.py add more.tar
as_developer tar -A -f original.tar more.tar 2>/dev/null
rm more.tar
listing original.tar original.tar.mtree
check "import of $(($(stat -c %s original.tar) >> 20)) MiB" import original.tar tree || exit 1

tool_cpio() { as_developer bsdtar -cf "$2" --format=pax "@$1"; }
# As the archive has it, with the root itself.
# shellcheck disable=SC2016 # for the inner shell
tool_squashfs() { as_developer sh -c 'sqfs2tar -r . "$1" >"$2"' sh "$1" "$2"; }
tool_oci() {
    as_developer python3 -c '
import hashlib, json, os, shutil, subprocess, sys
layout, target = sys.argv[1:]
def blob(descriptor):
    path = os.path.join(layout, "blobs", *descriptor["digest"].split(":"))
    data = open(path, "rb").read()
    assert hashlib.sha256(data).hexdigest() == descriptor["digest"].split(":")[1] and len(data) == descriptor["size"], descriptor
    return path
manifest = json.load(open(blob(json.load(open(os.path.join(layout, "index.json")))["manifests"][0])))
config = json.load(open(blob(manifest["config"])))
assert len(manifest["layers"]) == 1 and len(config["rootfs"]["diff_ids"]) == 1, manifest
layer = manifest["layers"][0]
command = {"+gzip": ["gzip", "-dc"], "+zstd": ["zstd", "-dc"]}.get(layer["mediaType"][-5:], ["cat"])
with open(target, "wb") as output:
    subprocess.run([*command, blob(layer)], stdout=output, check=True)
digest = hashlib.file_digest(open(target, "rb"), "sha256").hexdigest()
assert config["rootfs"]["diff_ids"] == ["sha256:" + digest], config["rootfs"]
' "$1" "$2"
}

if [[ " ${kinds[*]} " = *" tar "* ]]; then
    if check "tar: export" export_tree tree out.tar; then
        check "tar: the same listing, every keyword" same_listing out.tar || true
        check "tar: the same in every field and attribute" compare compare original.tar out.tar || true
        export_tree tree again.tar
        check "tar: the same bytes once more" cmp out.tar again.tar || true
        rm -f again.tar
    fi
fi
for kind in "${kinds[@]}"; do
    [ "$kind" != tar ] || continue
    target=out.$kind
    [ "$kind" != oci-archive ] || target=out.oci.tar
    check "$kind: export" export_tree tree "$target" || continue
    without=()
    # What the formats can't hold. In squashfs an ACL is no attribute that a kernel would take.
    case $kind in
        cpio) without=(--no-xattrs --short-times) ;;
        squashfs) without=(--no-acls --short-times) ;;
    esac
    case $kind in
        cpio | squashfs | oci)
            if check "$kind: another tool reads it" "tool_$kind" "$target" tool.tar; then
                check "$kind: the same by another tool, in every field" compare compare "${without[@]}" original.tar tool.tar || true
            fi
            rm -f tool.tar
            ;;
        ext4) check "ext4: e2fsck finds nothing" as_developer e2fsck -fn "$target" || true ;;
    esac
    if check "$kind: import again" import "$target" tree2 && check "$kind: export again as tar" export_tree tree2 back.tar; then
        [ "$kind" = cpio ] || check "$kind: the same listing, every keyword" same_listing back.tar "${without[@]}" || true
        check "$kind: the same in every field and attribute" compare compare "${without[@]}" original.tar back.tar || true
    fi
    rm -rf tree2 back.tar back.tar.mtree "$target"
done
exit "$failed"
