"""What differential.sh runs: p9serve reads archives side by side with GNU tar, bsdtar, Python's tarfile and cpio.

differential.py P9SERVE WORK DOCS     under fakeroot, so that every program's owners, modes and devices can be compared

A case of differential_cases.py says what ours does. Every other program whose tree is another one, or that fails, must be
named there with the reason, and ours must then refuse the archive, warn, or follow a rule that the page states.
"""

import hashlib
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import time

import differential_attributes
import differential_cases

P9SERVE, WORK, DOCS = sys.argv[1:4]
BEGIN = time.time() - 5
os.umask(0o022)
os.environ.update(TZ="UTC", LC_ALL="C.UTF-8")


def run(*command, preload=True, **options):
    environment = dict(os.environ)
    if not preload:
        environment.pop("LD_PRELOAD", None)
    return subprocess.run(command, capture_output=True, timeout=60, env=environment, **options)


def row(status, link, content, attributes):
    """What is compared of a file. A time of this test is that of a directory nobody has said anything of."""
    kind = stat.S_IFMT(status["mode"])
    time_known = status["time"] < BEGIN * 1e9
    return {
        "kind": oct(kind),
        "mode": oct(status["mode"] & 0o7777) if kind != stat.S_IFLNK else None,
        "owner": (status["uid"], status["gid"]),
        "size": len(content) if content is not None else None,
        "time": status["time"] if time_known else None,
        "link": link,
        "device": status["device"] if kind in (stat.S_IFCHR, stat.S_IFBLK) else None,
        "content": hashlib.sha256(content).hexdigest()[:16] if content is not None else None,
        "attributes": attributes,
    }


def walk(top):
    """A tree on the disk, as the program that made it has it under fakeroot."""
    tree = {}
    paths = [os.path.join(base, name) for base, dirs, files in os.walk(top) for name in dirs + files]
    for path in paths:
        found = os.lstat(path)
        status = {"mode": found.st_mode, "uid": found.st_uid, "gid": found.st_gid, "time": found.st_mtime_ns, "device": found.st_rdev}
        link = os.readlink(path) if stat.S_ISLNK(found.st_mode) else None
        content = None
        if stat.S_ISREG(found.st_mode):
            try:
                os.chmod(path, 0o600) if found.st_mode & 0o400 == 0 else None
                with open(path, "rb") as file:
                    content = file.read()
            except OSError as error:
                content = str(error).encode()
        tree[os.path.relpath(path, top)] = row(status, link, content, {})
    for name, attributes in differential_attributes.of_files(top).items():
        tree[name]["attributes"] = attributes
    return tree


KINDS = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK, tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK, tarfile.FIFOTYPE: stat.S_IFIFO}


def nanoseconds(text):
    sign, whole, fraction = re.fullmatch(r"(-?)(\d+)(?:\.(\d*))?", text).groups()
    number = int(whole) * 10**9 + int(((fraction or "") + "0" * 9)[:9])
    return -number if sign else number


def parsed(archive):
    """A tar archive that p9serve has written, as a tree."""
    tree = {}
    attributes = differential_attributes.of_archive(io.BytesIO(archive), "gnu")
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for info in members:
            name = os.path.normpath(info.name)
            if name == ".":
                continue
            if info.islnk():
                tree[name] = tree[os.path.normpath(info.linkname)]
                continue
            records = info.pax_headers
            at = nanoseconds(records["mtime"]) if "mtime" in records else int(info.mtime) * 10**9
            status = {"mode": KINDS.get(info.type, stat.S_IFREG) | info.mode, "uid": info.uid, "gid": info.gid, "time": at}
            status["device"] = os.makedev(info.devmajor, info.devminor)
            content = members.extractfile(info).read() if info.isreg() else None
            tree[name] = row(status, info.linkname if info.issym() else None, content, attributes.get(name, {}))
    return tree


def shown(target, tree):
    """The attributes of files by `p9serve stat`, which takes names in UTF-8 only."""
    names = [name for name in tree if tree[name]["link"] is None and not re.search("[\udc80-\udcff]", name)]
    result = run(P9SERVE, "stat", "--json", "--", *[os.path.join(target, name) for name in names], preload=False)
    if result.returncode != 0:
        raise SystemExit(f"the tree can't be shown: {result.stderr.decode()}")
    return dict(zip(names, (file["attributes"] for file in json.loads(result.stdout)["files"]), strict=True))


def ours(path, extra, attributes):
    """What p9serve imports, as it exports it again; or its refusal; and its warnings; and what is wrong with the tree."""
    target = os.path.join(WORK, "ours")
    result = run(P9SERVE, "import", "--no-sync", "--json", *extra, path, target, preload=False)
    events = [json.loads(line) for line in result.stdout.decode().splitlines()]
    warnings = [event["message"] for event in events if event["event"] == "warning"]
    if result.returncode != 0:
        if result.returncode < 0 or events[-1]["event"] != "error":
            raise SystemExit(f"p9serve ended by {result.returncode}: {result.stderr.decode()}")
        return None, events[-1]["message"] + " // " + (events[-1]["hint"] or ""), warnings, []
    exported = run(P9SERVE, "export", "--quiet", target, "-", preload=False)
    if exported.returncode != 0:
        raise SystemExit(f"the tree can't be exported: {exported.stderr.decode()}")
    tree = parsed(exported.stdout)
    board = shown(target, tree) if attributes and tree else {}
    remove(target)
    wrong = [f"{name!r} has {found} on the board, and in the export {tree[name]['attributes']}" for name, found in board.items() if found != tree[name]["attributes"]]
    return tree, None, warnings, wrong


def remove(target):
    subprocess.run(["chmod", "-R", "u+rwX", target], capture_output=True)
    shutil.rmtree(target, ignore_errors=True)
    for name in os.listdir(WORK):
        if name.startswith(".ours"):
            os.unlink(os.path.join(WORK, name))


def extracted(command):
    def read(path, target):
        with open(path, "rb") as archive:
            result = run(*[argument.format(path=path) for argument in command], cwd=target, stdin=archive)
        return result.returncode, result.stderr.decode(errors="replace")

    return read


def by_python(path, target):
    try:
        with tarfile.open(path) as archive:
            for info in archive:
                archive.extract(info, target, numeric_owner=True)
    except Exception as error:
        return 1, f"{type(error).__name__}: {error}"
    return 0, ""


READERS = {
    "gnu": extracted(["tar", "-xpf", "{path}", "--numeric-owner"]),
    "bsdtar": extracted(["bsdtar", "-xpf", "{path}", "--numeric-owner"]),
    "python": by_python,
    "cpio": extracted(["cpio", "-idmu", "--quiet", "--no-absolute-filenames"]),
    "unsquashfs": extracted(["unsquashfs", "-q", "-n", "-no-exit-code", "-f", "-d", ".", "{path}"]),
    "rdsquashfs": extracted(["rdsquashfs", "-q", "-X", "-T", "-C", "-O", "-u", "/", "-p", ".", "{path}"]),
}


def add_attributes(reader, path, tree):
    """What GNU tar puts on files without fakeroot, under which it has none; what bsdtar makes of an archive of another's."""
    if reader == "bsdtar":
        result = run("bsdtar", "-cf", "-", "--format=pax", "@" + path)
        found = differential_attributes.of_archive(io.BytesIO(result.stdout), "bsdtar")
    else:
        target = os.path.join(WORK, "attributes")
        os.mkdir(target)
        run("tar", "--xattrs", "--xattrs-include=*", "--acls", "-xf", path, cwd=target, preload=False)
        found = json.loads(run(sys.executable, differential_attributes.__file__, target, preload=False).stdout)
        remove(target)
    for name in tree:
        attributes = tree[name]["attributes"] = found.get(name, {})
        if "system.posix_acl_access" in attributes:
            mode = int(tree[name]["mode"], 8) & ~0o777
            tree[name]["mode"] = oct(mode | differential_attributes.permissions(attributes["system.posix_acl_access"]))


def settable(attributes):
    """Those that an ordinary user can set, and so GNU tar here."""
    return {name: value for name, value in attributes.items() if name.startswith(("user.", "system."))}


def short(value):
    return re.sub(r"([0-9a-f]{60})[0-9a-f]+", r"\1...", str(value))


def differences(mine, theirs, reader, attributes):
    """In words."""
    fields = ["kind", "mode", "owner", "size", "time", "link", "device", "content"]
    texts = []
    for name in sorted(set(mine) | set(theirs), key=lambda name: name.encode("utf-8", "surrogateescape")):
        if name not in theirs:
            texts.append(f"lacks {name!r}")
        elif name not in mine:
            texts.append(f"has {name!r}")
        else:
            texts += [
                f"{name!r} has {field} {theirs[name][field]}, ours {mine[name][field]}"
                for field in fields
                if mine[name][field] != theirs[name][field] and not (field == "time" and None in (mine[name][field], theirs[name][field]))
            ]
            has, expected = mine[name]["attributes"], theirs[name]["attributes"]
            has = settable(has) if reader == "gnu" else has
            if attributes and has != expected:
                texts.append(f"{name!r} has attributes {short(expected)}, ours {short(has)}")
    return texts


def compare(case, archive):
    path = os.path.join(WORK, "archive")
    with open(path, "wb") as file:
        file.write(archive)
    attributes = differential_attributes.is_any(archive) or "unsquashfs" in case.readers
    tree, refusal, warnings, problems = ours(path, case.options, attributes)
    if case.refused is None and refusal is not None:
        problems.append(f"ours refuses it: {refusal}")
    if case.refused is not None and (refusal is None or case.refused not in refusal):
        problems.append(f"ours should refuse it with '{case.refused}': {refusal or 'a tree'}")
    told = " ".join(warnings)
    if case.warning is None and warnings:
        problems.append(f"ours warns: {warnings}")
    if case.warning is not None and case.warning not in told:
        problems.append(f"ours should warn with '{case.warning}': {warnings}")
    if case.tree is not None and tree is not None:
        for name, fields in case.tree.items():
            for field, value in fields.items():
                if name not in tree or tree[name][field] != value:
                    problems.append(f"{name!r} should have {field} {short(value)}: {short(tree.get(name, {}).get(field))}")
    found = {}
    for reader in case.readers:
        if refusal is not None:
            break
        target = os.path.join(WORK, "theirs")
        os.mkdir(target)
        status, said = READERS[reader](path, target)
        theirs = walk(target)
        remove(target)
        if attributes and reader in ("gnu", "bsdtar"):
            add_attributes(reader, path, theirs)
        texts = differences(tree, theirs, reader, attributes and reader not in ("python", "cpio"))
        # A complaint about a tree that equals ours proves nothing against ours.
        if status != 0 and texts:
            texts.insert(0, f"fails: {said.strip().splitlines()[0] if said.strip() else status}")
        if texts:
            found[reader] = texts
    for reader in sorted(set(found) | set(case.differs)):
        if refusal is not None:
            break
        if reader not in case.differs:
            problems.append(f"{reader} differs: " + "; ".join(found[reader][:4]))
        elif reader not in found:
            problems.append(f"{reader} does not differ: {case.differs[reader]}")
    if case.differs and refusal is None and case.warning is None and not case.rule:
        problems.append("it is silent")
    if case.rule and case.rule not in DOCUMENT:
        problems.append(f"docs/importing.md does not say '{case.rule}'")
    return problems


with open(DOCS) as page:
    DOCUMENT = re.sub(r"\s+", " ", page.read())
failed = 0
only = sys.argv[4:]
for case in differential_cases.cases(WORK, run):
    if only and case.name not in only:
        continue
    problems = compare(case, case.archive)
    print(("not ok " if problems else "ok ") + case.name)
    for problem in problems:
        print("    " + problem)
    failed += bool(problems)
sys.exit(failed > 0)
