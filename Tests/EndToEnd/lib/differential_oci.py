"""What differential-oci.sh makes, imports and compares.

differential_oci.py P9SERVE [NAME...]     in an empty directory; prints "ok" or "not ok" for each image
"""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import random
import shutil
import stat
import subprocess
import sys
import tarfile

P9SERVE, ONLY = os.path.abspath(sys.argv[1]), sys.argv[2:]
D, F, S, H = tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
P, C = tarfile.FIFOTYPE, tarfile.CHRTYPE
OCI = "application/vnd.oci.image."
failed = False


# Images


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def blob(data, kind, **more):
    os.makedirs("image/blobs/sha256", exist_ok=True)
    with open("image/blobs/sha256/" + digest(data)[7:], "wb") as file:
        file.write(data)
    return dict(mediaType=kind, digest=digest(data), size=len(data), **more)


def read(descriptor):
    with open("image/blobs/sha256/" + descriptor["digest"][7:], "rb") as file:
        return file.read()


def remove(descriptor):
    os.remove("image/blobs/sha256/" + descriptor["digest"][7:])


def archive(entries):
    """Of (name, type, content or target, mode)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, data, *mode in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mtime = kind, 1000
            info.mode = mode[0] if mode else 0o755 if kind == D else 0o644
            if kind in (S, H):
                info.linkname, data = data, b""
            data = data.encode() if isinstance(data, str) else data
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def layer(raw, pack=lambda raw: gzip.compress(raw, mtime=0), kind=OCI + "layer.v1.tar+gzip"):
    raw = raw if isinstance(raw, bytes) else archive(raw)
    return dict(blob(pack(raw), kind), diff=digest(raw))


def image(*layers, ids=None, kind=OCI + "config.v1+json", **config):
    layers = [one if isinstance(one, dict) else layer(one) for one in layers]
    ids = [one["diff"] for one in layers] if ids is None else ids
    config = {"os": "linux", "architecture": "amd64", "config": {}, "rootfs": {"type": "layers", "diff_ids": ids}, **config}
    manifest = {
        "schemaVersion": 2,
        "config": blob(json.dumps(config).encode(), kind),
        "layers": [{key: value for key, value in one.items() if key != "diff"} for one in layers],
    }
    return blob(json.dumps(manifest).encode(), OCI + "manifest.v1+json")


def index(*descriptors):
    return blob(json.dumps({"schemaVersion": 2, "manifests": descriptors}).encode(), OCI + "index.v1+json")


def layout(*descriptors):
    for descriptor in descriptors:
        descriptor.setdefault("annotations", {"org.opencontainers.image.ref.name": "tag"})
    with open("image/index.json", "w") as file:
        json.dump({"schemaVersion": 2, "manifests": descriptors}, file)
    with open("image/oci-layout", "w") as file:
        json.dump({"imageLayoutVersion": "1.0.0"}, file)


# Trees: by path (kind, mode, content or target)


def run(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return result.returncode, result.stdout.decode(errors="replace")


def clear(*paths):
    for path in paths:
        if os.path.isdir(path) and not os.path.islink(path):
            subprocess.run(["chmod", "-R", "u+rwX", path], check=True)
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.remove(path)


def ours(source="image", *options):
    """What p9serve makes of it, as the board sees it, which its export tells; or its message."""
    clear("root", ".root.usb9pfs.db")
    code, output = run(P9SERVE, "import", "-q", "--no-sync", *options, source, "root")
    if code != 0:
        return None, output.strip()
    # By a pipe: a file would have to be on the disk before the next image's turn.
    export = subprocess.run([P9SERVE, "export", "-q", "--to", "tar", "root", "-"], stdout=subprocess.PIPE, check=True, timeout=60)
    tree, kinds = {}, {D: "dir", F: "file", S: "link", P: "pipe", C: "device"}
    with tarfile.open(fileobj=io.BytesIO(export.stdout)) as tar:
        for info in tar:
            name = os.path.normpath(info.name)
            target = tar.getmember(info.linkname) if info.type == H else info
            data = tar.extractfile(target).read() if target.isreg() else target.linkname if target.issym() else ""
            tree[name] = (kinds[target.type], target.mode, data)
    del tree["."]
    return tree, ""


def umoci():
    clear("bundle")
    code, output = run("umoci", "unpack", "--rootless", "--image", "image:tag", "bundle")
    return (None, output.strip()) if code != 0 else (walk("bundle/rootfs"), "")


def walk(root):
    tree = {}
    for directory, names, files in os.walk(root):
        for name in names + files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            mode = stat.S_IMODE(status.st_mode)
            if stat.S_ISLNK(status.st_mode):
                value = ("link", 0o777, os.readlink(path))
            elif stat.S_ISDIR(status.st_mode):
                value = ("dir", mode, "")
            elif stat.S_ISFIFO(status.st_mode):
                value = ("pipe", mode, "")
            else:
                os.chmod(path, mode | 0o400)
                with open(path, "rb") as file:
                    value = ("file", mode, file.read())
            tree[os.path.relpath(path, root)] = value
    return tree


def difference(left, right):
    lines = []
    for path in sorted(left.keys() | right.keys()):
        if left.get(path) != right.get(path):
            lines.append(f"{path}: p9serve {left.get(path)}, else {right.get(path)}")
    return "\n".join(lines)


def report(name, problem, detail=""):
    global failed
    print(f"not ok {name}: {problem}" if problem else f"ok {name}", flush=True)
    if problem:
        failed = True
        for line in str(detail).splitlines()[:12]:
            print("    " + line[:300])


def same(name, expected=None, options=(), unlike=None):
    """p9serve's tree must be umoci's, or differ as the table says.

    expected: what must be in the tree, {path: content}; nothing else may be, but directories.
    unlike: why umoci gives something else; both sides are then only what they are known to be.
    """
    if not selected(name):
        return
    mine, message = ours("image", *options)
    other, complaint = umoci()
    if mine is None:
        return report(name, "p9serve refuses it", message)
    if expected is not None:
        found = {path: value[2] for path, value in mine.items() if value[0] != "dir"}
        wanted = {path: data.encode() if isinstance(data, str) and mine.get(path, [0])[0] == "file" else data for path, data in expected.items()}
        if found != wanted:
            return report(name, "p9serve makes another tree", f"{found}\n{wanted}")
    if other is None:
        problem = None if unlike else "umoci refuses it"
    elif mine == other:
        problem = "umoci does the same, the table is outdated" if unlike else None
    else:
        problem = None if unlike else "umoci makes another tree"
    report(f"{name}: {unlike}" if unlike else name, problem, difference(mine, other) if other is not None else complaint)


def refused(name, words, options=(), unlike=None):
    """p9serve must refuse it, with these words, and umoci too; unlike: why umoci doesn't."""
    if not selected(name):
        return
    mine, message = ours("image", *options)
    other, _ = umoci()
    if mine is not None:
        return report(name, "p9serve imports it", f"{mine}")
    if words not in message:
        return report(name, f"p9serve's words are others than '{words}'", message)
    problem = None
    if (other is not None) != bool(unlike):
        problem = "umoci refuses it, the table is outdated" if unlike else "umoci unpacks it"
    report(f"{name}: {unlike}" if unlike else name, problem, f"{other}")


def selected(name):
    return not ONLY or any(name.startswith(prefix) for prefix in ONLY)


LOWER = [
    ("d/", D, ""), ("d/o", F, "1"), ("d/s/", D, ""), ("d/s/o", F, "1"), ("e/", D, ""), ("e/o", F, "1"), ("f", F, "1"),
    ("l", S, "e"), ("h", F, "1", 0o4755), ("p", P, ""),
]  # fmt: skip


def above(upper):
    layout(image(LOWER, upper))


# The images


def plain():
    above([])
    same("plain layer", {"d/o": "1", "d/s/o": "1", "e/o": "1", "f": "1", "l": "e", "h": "1", "p": ""})
    layout(image([("./", D, ""), ("./a/b/c", F, "1"), ("a/./x", F, "2"), ("a//y", F, "3"), ("k", H, "a/b/c")]))
    same("names with dots and slashes", {"a/b/c": "1", "a/x": "2", "a/y": "3", "k": "1"})
    long, bytes_ = "n" * 255, "\udcff\udcfe"
    layout(image([(long, F, "1"), ("x" * 100 + "/" + "y" * 200, F, "2"), ("t", S, "z" * 3000), (bytes_, F, "3")]))
    same("long names, and bytes that are not text")
    layout(image([("null", C, "")]))
    same("device", {"null": ""}, unlike="umoci as an ordinary user makes an empty file of a device, p9serve keeps it")
    above([("f/", D, ""), ("f/x", F, "2"), ("d", F, "2"), ("l/", D, ""), ("l/n", F, "2"), ("h", S, "f"), ("p", F, "2"), ("e", P, "")])
    same("kinds replaced by the next layer", {"f/x": "2", "d": "2", "l/n": "2", "h": "f", "p": "2", "e": ""})
    above([("h", F, "1", 0o600), ("d/", D, "", 0o1777), ("k", H, "f"), ("f", F, "2")])
    same("modes and links of the next layer", {"d/o": "1", "d/s/o": "1", "e/o": "1", "f": "2", "k": "1", "l": "e", "h": "1", "p": ""})


def whiteouts():
    rest = {"e/o": "1", "f": "1", "l": "e", "h": "1", "p": ""}
    above([("d/", D, ""), ("d/n", F, "2"), (".wh.d", F, "")])
    same("whiteout behind the directory made anew", {**rest, "d/n": "2"})
    above([(".wh.d", F, ""), ("d/", D, ""), ("d/n", F, "2")])
    same("whiteout before the directory made anew", {**rest, "d/n": "2"})
    above([("d/n", F, "2"), (".wh.d", F, "")])
    same("whiteout behind a file in the directory", {**rest, "d/n": "2"})
    above([("d/s/n", F, "2"), (".wh.d", F, ""), ("d/.wh.o", F, "")])
    same("whiteout of the parent of what the layer made", {**rest, "d/s/n": "2"})
    above([("d/s/n", F, "2"), ("d/.wh..wh..opq", F, "")])
    same("opaque behind", {**rest, "d/s/n": "2"})
    above([("d/.wh..wh..opq", F, ""), ("d/s/n", F, "2")])
    same("opaque before", {**rest, "d/s/n": "2"})
    above([("d/n", F, "2"), (".wh..wh..opq", F, "")])
    same("opaque root", {"d/n": "2"})
    above([("f", F, "2"), (".wh.f", F, ""), ("d", S, "e"), (".wh.d", F, "")])
    same("whiteout of what the layer makes itself", {**rest, "f": "2", "d": "e"})
    above([("k", H, "d/o"), (".wh.d", F, "")])
    same("link to what is whited out behind it", {**rest, "k": "1"})
    above([(".wh.nothing", F, ""), ("no/.wh.x", F, ""), ("f/.wh.x", F, ""), (".wh.f", F, ""), (".wh.f", F, "")])
    same("whiteout of nothing, and twice", {**{k: v for k, v in rest.items() if k != "f"}, "d/o": "1", "d/s/o": "1"})
    above([(".wh.f", F, ""), (".wh.h", H, ".wh.f"), (".wh.d", S, "x")])
    same("whiteouts that are links", {"e/o": "1", "l": "e", "p": ""})
    layout(image([(".wh.a", F, ""), ("a", F, "1"), ("b", F, "1"), (".wh.b", F, ""), (".wh..wh..opq", F, "")]))
    same("whiteouts in the lowest layer", {"a": "1", "b": "1"})
    above([("l/.wh.o", F, "")])
    if selected("whiteout through a link"):
        tree, message = ours()
        right = tree is None and "symbolic link" in message or tree is not None and "e/o" not in tree and "l" in tree
        report("whiteout through a link: gone where it leads, or refused", None if right else "neither", f"{tree} {message}")
    layout(image([("d/", D, "", 0o700), ("d/o", F, "1")], [("d/n", F, "2"), (".wh.d", F, "")]))
    same(
        "whiteout of a directory that is implied",
        {"d/n": "2"},
        unlike="umoci keeps the removed directory's mode, p9serve makes a new one, as with the whiteout before",
    )
    above([(".wh.", F, "")])
    refused("whiteout without a name", "it is not a whiteout of a name")
    above([(".wh..", F, "")])
    refused("whiteout of '.'", "it is not a whiteout of a name")
    above([(".wh.d/", D, "")])
    refused("whiteout that is a directory", "must be a file", unlike="umoci looks at the name alone; what lies in it would be files")


def aufs():
    meta = [(".wh..wh.aufs", F, ""), (".wh..wh.orph/", D, ""), (".wh..wh.plnk/", D, ""), (".wh..wh.plnk/8.9", F, "linked")]
    layout(image(meta + [("a", H, ".wh..wh.plnk/8.9"), ("b/c", H, ".wh..wh.plnk/8.9")], [(".wh.__dir_opaque", F, ""), ("x", F, "1")]))
    same(
        "metadata of aufs",
        {"a": "linked", "b/c": "linked", "x": "1"},
        unlike="umoci leaves the directory of links in the tree, p9serve does as docker",
    )


def ends():
    whole = archive([("f", F, "content")])
    for name, raw in {
        "no padding and no end mark": whole[:519],
        "no end mark": whole[:1024],
        "one end block": whole[:1536],
        "end mark only just": whole[:2048],
        "garbage behind the end mark": whole + b"garbage",
        "zeros behind the end mark": whole + bytes(5000),
    }.items():
        layout(image([("g", F, "1")], layer(raw), [("h", F, "1")]))
        same("layer with " + name, {"f": "content", "g": "1", "h": "1"})
    for name, raw in {"no bytes": b"", "one end block only": bytes(512), "an end mark only": bytes(1024), "zeros only": bytes(10240)}.items():
        layout(image([("g", F, "1")], layer(raw)))
        same("layer with " + name, {"g": "1"})
    layout(image([("g", F, "1")], layer(b"", lambda raw: raw, OCI + "layer.v1.tar")))
    same("layer of no bytes", {"g": "1"})
    for name, raw in {"in its content": whole[:515], "in its header": whole[:300]}.items():
        layout(image(layer(raw)))
        refused("layer cut short " + name, "is damaged")
    layout(image(layer(b"no archive" * 200)))
    refused("layer that is not an archive", "not a tar archive")


def packing():
    files = {name: archive([(name, F, name)]) for name in "abcdef"}
    gz = lambda raw: gzip.compress(raw, mtime=0)  # noqa: E731
    zstd = lambda raw: subprocess.run(["zstd", "-qc"], input=raw, stdout=subprocess.PIPE, check=True).stdout  # noqa: E731
    layout(image(layer(files["a"]), layer(files["b"], lambda raw: raw, OCI + "layer.v1.tar")))
    same("compressed and not", {"a": "a", "b": "b"})
    mixed = [layer(files["a"], gz, OCI + "layer.v1.tar"), layer(files["b"], lambda raw: raw), layer(files["c"], lzma.compress)]
    mixed += [layer(files["d"], bz2.compress)]
    layout(image(*mixed))
    same(
        "compressed with something else than the media type says",
        {name: name for name in "abcd"},
        unlike="umoci goes by the type, docker, containerd and p9serve by the content; the digest is the same",
    )
    landmark = archive([("a", F, "a"), (".no.prefetch.landmark", F, "\x0f"), ("stargz.index.json", F, "{}")])
    layout(image(layer(landmark, lambda raw: gz(raw[:700]) + gz(raw[700:]) + gz(b""))))
    same("estargz, with its landmark and index", {"a": "a", ".no.prefetch.landmark": "\x0f", "stargz.index.json": "{}"})
    if shutil.which("zstd"):
        # A table of contents in a frame that is skipped.
        chunked = lambda raw: zstd(raw[:700]) + zstd(raw[700:]) + b"\x50\x2a\x4d\x18\x04\x00\x00\x00toc!"  # noqa: E731
        for name, pack in {"zstd": zstd, "zstd:chunked": chunked}.items():
            layout(image(layer(files["a"], pack, OCI + "layer.v1.tar+zstd")))
            same(name, {"a": "a"}, unlike="umoci 0.4 knows no zstd")
    layout(image(layer(files["a"], gz, "application/vnd.docker.image.rootfs.diff.tar.gzip"), kind="application/vnd.docker.container.image.v1+json"))
    same("Docker's media types", {"a": "a"}, unlike="umoci 0.4 knows OCI's only")


def refusals():
    one = [("a", F, "1")]
    first = layer(one)
    layout(image())
    refused("no layers", "has no layers", unlike="umoci makes an empty root, which boots no board")
    layout(image(ids=[first["diff"]]))
    refused("no layers but a diff_id", "names 0 layers, its configuration 1", unlike="umoci 0.4 makes an empty root")
    layout(image(first, ids=[]))
    refused("a layer but no diff_id", "names 1 layers, its configuration 0")
    layout(image(first, ids=[digest(b"")]))
    refused("wrong diff_id", "the content of")
    layout(image(first, first, ids=[first["diff"], first["digest"]]))
    refused("diff_id of the compressed file", "can't have the digest of the compressed file")
    layout(image(first, config={}, rootfs=None))
    refused("configuration without rootfs", 'has no "rootfs"')
    layout(image(first, kind="application/vnd.cncf.helm.config.v1+json"))
    refused("chart", "holds something else (application/vnd.cncf.helm.config.v1+json)")
    layout(image(blob(b"{}", "application/vnd.dev.cosign.simplesigning.v1+json"), ids=[digest(b"{}")]))
    refused("signature", "holds something else (application/vnd.dev.cosign.simplesigning.v1+json)")
    layout(image(blob(b"{}", "application/vnd.in-toto+json"), ids=[digest(b"{}")], os="unknown", architecture="unknown"))
    refused("attestation", "holds something else (application/vnd.in-toto+json)")
    layout(image(dict(first, mediaType=first["mediaType"] + "+encrypted")))
    refused("encrypted layer", "is encrypted")
    layout(image(dict(first, size=3)))
    refused("wrong size", "bytes and not 3")
    layout(image(dict(first, mediaType=OCI + "layer.nondistributable.v1.tar+gzip", urls=["https://example.org/l"])))
    remove(first)
    refused("foreign layer that isn't there", "not distributed with it")
    layout(image(layer(one)))
    same("foreign layer that is there", {"a": "1"})
    other = layer([("b", F, "2")])
    layout(image(other))
    remove(other)
    refused("missing layer", "there is no blobs/sha256/")
    missing = image([("c", F, "3")])
    layout(missing)
    remove(missing)
    refused("missing manifest", "there is no blobs/sha256/")
    alone = image([("e", F, "4")])
    layout(alone)
    remove(json.loads(read(alone))["config"])
    refused("missing configuration", "there is no blobs/sha256/")
    layout(image(one))
    os.remove("image/index.json")
    refused("missing index.json", "there is no index.json")
    layout(image(one))
    os.remove("image/oci-layout")
    refused("missing oci-layout", "there is no oci-layout")


def platforms():
    def on(architecture, variant=None):
        more = {"variant": variant} if variant else {}
        platform = {"os": "linux", "architecture": architecture, **more}
        return dict(image([("is", F, architecture + (variant or ""))], **platform), platform=platform)

    def chosen(name, wanted, expected):
        if not selected(name):
            return
        tree, message = ours("image", *(["--platform", wanted] if wanted else []))
        found = tree["is"][2].decode() if tree else message
        report(name, None if found == expected or tree is None and expected in found else f"not {expected}", found)

    unknown = dict(image([("is", F, "unknown")]), platform={"os": "unknown", "architecture": "unknown"})
    v6, v7, arm64 = on("arm", "v6"), on("arm", "v7"), on("arm64", "v8")
    layout(index(on("amd64"), unknown, v6, v7, index(arm64, unknown)))
    for wanted, expected in {
        "linux/arm/v6": "armv6", "linux/arm/v7": "armv7", "linux/arm": "armv7", "linux/arm64": "arm64v8",
        "linux/arm64/v8": "arm64v8", "linux/amd64": "amd64", "linux/x86_64": "amd64", "linux/s390x": "there is no image for linux/s390x",
    }.items():  # fmt: skip
        chosen("platform " + wanted, wanted, expected)
    chosen("several platforms", None, "there are images for several platforms")
    layout(index(v6, on("amd64"), v7))
    remove(v6)
    remove(v7)
    chosen("one platform of three is there", None, "amd64")
    chosen("platform that is only named", "linux/arm/v7", "not all of its files are in it")


def skopeo(name):
    """The same image in all formats that skopeo writes gives the same tree."""
    if not selected("skopeo"):
        return
    mine, message = ours()
    copies = {"oci-archive": "oci-archive:copy:tag", "docker-archive": "docker-archive:copy:a/b:tag", "oci": "oci:copy:tag"}
    for kind, target in copies.items():
        clear("copy")
        code, output = run("skopeo", "--insecure-policy", "copy", "-q", "oci:image:tag", target)
        if code != 0:
            report(f"skopeo: {name} as {kind}", "skopeo can't copy it", output)
            continue
        tree, message = ours("copy")
        same_tree = mine is not None and tree == mine
        report(f"skopeo: {name} as {kind}", None if same_tree else "another tree", message or difference(mine or {}, tree or {}))
    clear("copy")
    run("skopeo", "--insecure-policy", "copy", "-q", "oci:image:tag", "dir:copy")
    _, message = ours("copy")
    report(f"skopeo: {name} as dir is refused", None if "skopeo's dir:" in message else "other words", message)


# Random layers


def random_layer(chance, tree, number):
    """Changes the tree as the specification says; gives the layer's entries in a random order."""
    own, order = {}, []
    for _ in range(chance.randint(1, 7)):
        path = "/".join(chance.choice("abc") for _ in range(chance.randint(1, 3)))
        parents = [path[:i] for i, c in enumerate(path) if c == "/"]
        if any(own.get(parent, ("dir",))[0] != "dir" for parent in parents) or path in own:
            continue
        if any(key.startswith(path + "/") for key in own):
            continue
        # What isn't a directory below needs an entry to become one.
        for parent in parents:
            if parent not in own and tree.get(parent, ("dir",))[0] != "dir":
                own[parent] = ("dir", 0o755, "")
                order.append((parent + "/", D, ""))
        kind = chance.choice("ddffs")
        mode = chance.choice((0o755, 0o700, 0o711)) if kind == "d" else chance.choice((0o644, 0o4755, 0o600))
        if kind == "d":
            own[path] = ("dir", mode, "")
            order.append((path + "/", D, "", mode))
        elif kind == "f":
            own[path] = ("file", mode, str(number).encode())
            order.append((path, F, str(number), mode))
        else:
            own[path] = ("link", 0o777, "a")
            order.append((path, S, "a"))
    removed, opaque = set(), set()
    for _ in range(chance.randint(0, 3)):
        path = "/".join(chance.choice("abc") for _ in range(chance.randint(1, 3)))
        parents = [path[:i] for i, c in enumerate(path) if c == "/"]
        if any(each.get(parent, ("dir",))[0] != "dir" for parent in parents for each in (tree, own)):
            continue
        directory, _, name = path.rpartition("/")
        if chance.random() < 0.25:
            opaque.add(directory)
            name = ".wh..wh..opq"
        else:
            removed.add(path)
            name = ".wh." + name
        order.insert(chance.randint(0, len(order)), (f"{directory}/{name}" if directory else name, F, ""))
    # The rule: whiteouts first.
    for path in list(tree):
        above_ = [path[:i] for i, c in enumerate(path) if c == "/"]
        if any(each in removed for each in above_ + [path]) or any(each in opaque for each in [""] + above_):
            del tree[path]
    implied = set()
    for path, value in own.items():
        for parent in [path[:i] for i, c in enumerate(path) if c == "/"]:
            if parent not in own and parent not in tree:
                tree[parent] = ("dir", 0o755, "")
                implied.add(parent)
        if value[0] != "dir" or tree.get(path, ("dir",))[0] != "dir":
            for below in [key for key in tree if key == path or key.startswith(path + "/")]:
                if below not in own:
                    del tree[below]
        tree[path] = value
    return order, implied


def randoms():
    chance = random.Random(20250711)
    for number in range(60):
        name = f"random layers {number}"
        tree, layers, implied = {}, [], set()
        for each in range(chance.randint(2, 5)):
            order, new = random_layer(chance, tree, each)
            layers.append(order)
            implied |= new
        if not selected(name):
            continue
        layout(image(*layers))
        mine, message = ours()
        other, complaint = umoci()
        detail = "\n".join(str([(e[0], e[1].decode()) for e in each]) for each in layers)
        if mine != tree:
            report(name, "not as the specification says", (message or difference(mine or {}, tree)) + "\n" + detail)
            continue
        # Listed above: umoci keeps the mode of a directory that is removed behind what implies it.
        for path in implied & tree.keys():
            if other and path in other and other[path][0] == "dir":
                other[path] = tree[path]
        report(name, None if other == mine else "umoci makes another tree", complaint or difference(mine, other or {}) + "\n" + detail)
        if number < 3:
            skopeo(name)


for group in (plain, whiteouts, aufs, ends, packing, refusals, platforms, randoms):
    clear("image")
    os.mkdir("image")
    group()
sys.exit(1 if failed else 0)
