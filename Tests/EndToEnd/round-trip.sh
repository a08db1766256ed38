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
. "$(dirname "$0")/lib/test.sh"
need_packages python3 libarchive-tools tar squashfs-tools-ng e2fsprogs
need_programs
debian=$("$usb9pfs_root/Tests/Lab/build-rootfs" | tail -n 1) || die "there is no Debian root filesystem, see above"
kinds=("$@")
[ ${#kinds[@]} -gt 0 ] || kinds=(tar cpio squashfs ext4 oci oci-archive)

cd "$work"

# The same, and whether it was ok: what builds on it is left out if not.
holds() { check "$@" && [ "$last_check" = ok ]; }

compare() { as_developer python3 "$programs/round_trip.py" "$@"; }
listing() { as_developer bsdtar -cf "$2" --format=mtree --options=all "@$1"; }
same_listing() { listing "$1" "$1.mtree" && compare mtree "${@:2}" original.tar.mtree "$1.mtree"; }
export_tree() { as_developer "$p9serve" export "$1" "$2"; }
import() { as_developer "$p9serve" import --quiet "$1" "$2"; }

as_developer cp "$debian" original.tar
as_developer chmod 644 original.tar
as_developer python3 "$programs/round_trip.py" add more.tar
as_developer tar -A -f original.tar more.tar 2>/dev/null
rm more.tar
listing original.tar original.tar.mtree
holds "import of $(($(stat -c %s original.tar) >> 20)) MiB" import original.tar tree || exit 1

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
    if holds "tar: export" export_tree tree out.tar; then
        check "tar: the same listing, every keyword" same_listing out.tar
        check "tar: the same in every field and attribute" compare compare original.tar out.tar
        export_tree tree again.tar
        check "tar: the same bytes once more" cmp out.tar again.tar
        rm -f again.tar
    fi
fi
for kind in "${kinds[@]}"; do
    [ "$kind" != tar ] || continue
    target=out.$kind
    [ "$kind" != oci-archive ] || target=out.oci.tar
    holds "$kind: export" export_tree tree "$target" || continue
    without=()
    # What the formats can't hold. In squashfs an ACL is not an attribute that a kernel would take.
    case $kind in
        cpio) without=(--no-xattrs --short-times) ;;
        squashfs) without=(--no-acls --short-times) ;;
    esac
    case $kind in
        cpio | squashfs | oci)
            if holds "$kind: another tool reads it" "tool_$kind" "$target" tool.tar; then
                check "$kind: the same by another tool, in every field" compare compare "${without[@]}" original.tar tool.tar
            fi
            rm -f tool.tar
            ;;
        ext4) check "ext4: e2fsck finds nothing" as_developer e2fsck -fn "$target" ;;
    esac
    if holds "$kind: import again" import "$target" tree2 && holds "$kind: export again as tar" export_tree tree2 back.tar; then
        [ "$kind" = cpio ] || check "$kind: the same listing, every keyword" same_listing back.tar "${without[@]}"
        check "$kind: the same in every field and attribute" compare compare "${without[@]}" original.tar back.tar
    fi
    rm -rf tree2 back.tar back.tar.mtree "$target"
done
