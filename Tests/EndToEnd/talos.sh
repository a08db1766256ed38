#!/usr/bin/env bash
# The Talos extension: built by an ordinary user for both architectures, the same bytes each time, taken by other people's
# tools, right by Talos's rules; and the check of those rules finds what is wrong.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages skopeo umoci python3-yaml file jq
user mkdir "$work/user"
talos=$usb9pfs_root/scripts/talos

# The downloads need a cache that the one who builds may write to.
build() { as_developer env USB9PFS_CACHE="$work/user/cache" "$talos/build-extension" "$@"; }
check "build for arm64 and amd64" build --output "$work/user/first" --arch arm64 --arch amd64
check "by the rules" "$talos/check-extension" "$work"/user/first/{arm64,amd64,usb-gadget-arm64.tar,usb-gadget-amd64.tar,usb-gadget.oci}
for arch in arm64:aarch64 amd64:x86-64; do
    program=$work/user/first/${arch%:*}/rootfs/usr/local/lib/containers/usb-gadget/bin/busybox
    check "busybox is one for ${arch%:*}" sh -c "file -b '$program' | grep -q '${arch#*:}.*statically linked'"
    # shellcheck disable=SC2016 # $arch is jq's
    check "Talos's imager would find the image for ${arch%:*}" jq -e --arg arch "${arch%:*}" \
        '[.manifests[] | select(.platform.os == "linux" and .platform.architecture == $arch)] | length == 1' \
        "$work/user/first/usb-gadget.oci/index.json"
    check_equal "skopeo: ${arch%:*}" "${arch%:*} linux 1" "$(skopeo inspect "oci:$work/user/first/usb-gadget.oci:1.0.0-${arch%:*}" |
        jq -r '"\(.Architecture) \(.Os) \(.Layers | length)"')"
done
check "umoci unpacks it" as_developer umoci raw unpack --rootless --image "$work/user/first/usb-gadget.oci:1.0.0-arm64" "$work/user/unpacked"
check "to the tree" diff -r --no-dereference "$work/user/first/arm64" "$work/user/unpacked"
sleep 1 # another second in every time stamp
check "build once more" build --output "$work/user/second" --arch arm64 --arch amd64
check "the same bytes" sh -c "cd '$work/user' && cmp first/usb-gadget-arm64.tar second/usb-gadget-arm64.tar &&
    diff -r first/usb-gadget.oci second/usb-gadget.oci"
check "over the old one" build --output "$work/user/second" --arch amd64

# What docs/talos.md says to type.
install -d -o "$developer_uid" -g "$developer_gid" "$work/user/checkout" "$work/user/checkout/path" "$work/user/checkout/path/to"
like_a_checkout "$work/user/checkout"
# shellcheck disable=SC2034 # as_written's
written_by=(as_developer env USB9PFS_CACHE="$work/user/cache")
check "documented: build" as_written docs/talos.md "Build it" 1
check "... the same" diff -r --no-dereference usb-gadget-extension/arm64 "$work/user/first/arm64"
check "documented: the imager's profile" as_written docs/talos.md "Put it into Talos" 1.1
# With the directory that the next command mounts on /in.
check "... names what was built" python3 -c 'import json, yaml
profile = yaml.safe_load(open("profile.yaml"))
assert profile["arch"] == "arm64" and profile["output"]["kind"] == "installer", profile
[extension] = profile["input"]["systemExtensions"]
inside = extension["ociPath"].split("/")
assert inside[:2] == ["", "in"], inside
assert json.load(open("/".join(["usb-gadget-extension"] + inside[2:]) + "/oci-layout"))["imageLayoutVersion"]'
# Another place than a registry, which is a server.
check "documented: skopeo copy" as_written docs/talos.md "Put it into Talos" 2 \
    docker://registry.example/usb-gadget:1.0.0=oci:copied:1.0.0
layers=$(skopeo inspect --format '{{.Layers}}' oci:usb-gadget-extension/usb-gadget.oci:1.0.0-arm64)
check_equal "... the same image" "$layers" "$(skopeo inspect --format '{{.Layers}}' oci:copied:1.0.0)"
as_written docs/talos.md "Configure the board" 1 >configuration
check "documented: the machine configuration" python3 - configuration <<'PYTHON'
import sys, yaml
documents = list(yaml.safe_load_all(open(sys.argv[1])))
[link] = [document for document in documents if document.get("kind") == "LinkConfig"]
assert link["addresses"] == [{"address": "10.55.0.1/24"}] and link["routes"][0]["gateway"] == "10.55.0.2", link
[interface] = [document for document in documents if "machine" in document][0]["machine"]["network"]["interfaces"]
assert interface["interface"] == link["name"] == "usb0", interface
PYTHON
printf 'CONFIG_%s=y\n' CONFIGFS_FS USB_GADGET USB_LIBCOMPOSITE USB_CONFIGFS USB_CONFIGFS_ECM NET_9P NET_9P_USBG 9P_FS 9P_FS_POSIX_ACL \
    9P_FS_SECURITY >path/to/.config
check "documented: with usb9pfs" as_written docs/talos.md "usb9pfs on Talos" 1
check "... it is another" sh -c "! cmp usb-gadget-extension/usb-gadget-arm64.tar '$work/user/first/usb-gadget-arm64.tar'"
cd "$work"

# What must be refused, and why.
refused() { # refused CODE PATTERN OPTION...
    check_code "$1" "refused: ${*:3}" build --output "$work/user/none" "${@:3}"
    said "$2"
}
refused 3 "built without CONFIG_NET_9P" --function usb9pfs
printf 'CONFIG_%s=y\n' CONFIGFS_FS USB_GADGET USB_LIBCOMPOSITE USB_CONFIGFS USB_CONFIGFS_ECM >"$work/stock"
echo "# CONFIG_NET_9P is not set" >>"$work/stock"
refused 3 "set to y: CONFIG_NET_9P CONFIG_NET_9P_USBG CONFIG_9P_FS" --function usb9pfs --kernel "$work/stock"
refused 3 "CONFIG_USB_CONFIGFS_NCM" --function ncm --kernel "$work/stock"
check "and ecm, which that kernel has, is not" build --output "$work/user/ecm" --kernel "$work/stock"
refused 2 "not a kernel configuration" --kernel /etc/passwd
refused 2 "no 'riscv64'" --arch riscv64
refused 2 "no function" --function uvc
refused 2 "not /var/mnt" --function usb9pfs --mount /mnt
refused 2 "not of the form usb0" --interface 'a b'
as_developer mkdir -p "$work/user/none/arm64"
as_developer touch "$work/user/none/arm64/kernel.c"
refused 2 "has not made it"
check "someone else's directory stays" test -e "$work/user/none/arm64/kernel.c"
rm -r "$work/user/none"
refused 1 "not for" --busybox "$work/user/first/amd64/rootfs/usr/local/lib/containers/usb-gadget/bin/busybox"

# The machine configuration is YAML, and says what it was told to.
for style in link interfaces; do
    check "--print-config $style" sh -c "'$talos/build-extension' --print-config $style --address 10.66.0.1/24 --gateway 10.66.0.2 >'$work/$style'"
    check "... is YAML of the right documents" python3 - "$work/$style" $style <<'PYTHON'
import sys, yaml
documents = list(yaml.safe_load_all(open(sys.argv[1])))
assert documents[1] == {"apiVersion": "v1alpha1", "kind": "ExtensionServiceConfig", "name": "usb-gadget",
                        "environment": ["USB_GADGET_INTERFACE=usb0"]}, documents[1]
if sys.argv[2] == "link":
    assert documents[0] == {"apiVersion": "v1alpha1", "kind": "LinkConfig", "name": "usb0", "up": True,
                            "addresses": [{"address": "10.66.0.1/24"}],
                            "routes": [{"gateway": "10.66.0.2", "metric": 2048}]}, documents[0]
else:
    [interface] = documents[0]["machine"]["network"]["interfaces"]
    assert interface["interface"] == "usb0" and interface["addresses"] == ["10.66.0.1/24"], interface
    assert interface["routes"] == [{"network": "0.0.0.0/0", "gateway": "10.66.0.2", "metric": 2048}], interface
PYTHON
done

# The check of the rules finds each fault.
good=$work/user/first/amd64
wrong() { # wrong NAME PATTERN COMMAND: a copy of the good tree, spoilt by COMMAND
    rm -rf "$work/bad"
    cp -r "$good" "$work/bad"
    (cd "$work/bad" && sh -euc "$3")
    if "$talos/check-extension" "$work/bad" >"$work/faults" 2>&1; then
        not_ok "$1 is not found"
    else
        check "$1 is found" grep -q -- "$2" "$work/faults"
    fi
}
container=rootfs/usr/local/lib/containers/usb-gadget service=rootfs/usr/local/etc/containers/usb-gadget.yaml
wrong "no manifest" "manifest.yaml is missing" "rm manifest.yaml"
wrong "another version of the manifest" "not 'v1alpha1'" "sed -i s/v1alpha1/v1/ manifest.yaml"
wrong "a manifest without an author" "metadata.author is missing" "sed -i /author/d manifest.yaml"
wrong "an unknown field of the manifest" "unknown field 'licence'" "echo 'licence: none' >>manifest.yaml"
wrong "a wrong range of versions" "not a range of versions" "sed -i 's/>= v1.7.0/newest/' manifest.yaml"
wrong "a file at the top" "only manifest.yaml and rootfs" "touch README"
wrong "a path that is not allowed" "not a path that an extension may have" "mkdir -p rootfs/usr/bin; touch rootfs/usr/bin/x"
wrong "a path that only begins like an allowed one" "not a path" "mkdir -p rootfs/usr/localhost; touch rootfs/usr/localhost/x"
wrong "a world-writable file" "world-writable" "chmod 666 $container/usr/sbin/usb-gadget"
wrong "a FIFO" "special files" "mkfifo $container/fifo"
wrong "a setuid program" "setuid" "chmod 4755 $container/bin/busybox"
wrong "a hard link" "a hard link" "ln $container/bin/busybox $container/bin/hard"
wrong "no YAML" "is not YAML" "echo '{' >$service"
wrong "an unknown field of the service" "unknown field 'securtiy'" "sed -i s/security/securtiy/ $service"
wrong "a number as a switch" "not of type bool" "sed -i 's/writeableSysfs: true/writeableSysfs: 1/' $service"
wrong "an unknown restart" "not one of always" "sed -i 's/restart: always/restart: sometimes/' $service"
wrong "a name with capitals" "not of a-z" "sed -i 's/^name: usb-gadget/name: USB/' $service"
wrong "an entrypoint that is not there" "is not a program" "rm $container/usr/sbin/usb-gadget"
wrong "an entrypoint without its interpreter" "wants /bin/sh" "rm $container/bin/sh"
wrong "a relative mount" "not an absolute path" "sed -i 's,source: /run,source: run,' $service"
wrong "two dependencies in one" "exactly one field" "printf 'depends:\n    - {service: cri, time: true}\n' >>$service"
wrong "an unknown state of the network" "no network state" "printf 'depends:\n    - {network: [up]}\n' >>$service"
check "the directory above is said to be none, in one line" test \
    "$("$talos/check-extension" "$work/user/first" | grep -c .):$("$talos/check-extension" "$work/user/first" | grep -c 'is not an extension')" = 1:1
cp -r "$work/user/first/usb-gadget.oci" "$work/oci"
for blob in "$work"/oci/blobs/sha256/*; do [ "$(stat -c %s "$blob")" -lt 100000 ] || layer=$blob; done
printf x >>"$layer"
check "a layer with a byte more is found" sh -c "'$talos/check-extension' '$work/oci' | grep -q 'another digest'"
