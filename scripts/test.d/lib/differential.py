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
        attributes = {}
        if not stat.S_ISLNK(found.st_mode):
            attributes = {name: len(os.getxattr(path, name)) for name in os.listxattr(path) if name.startswith("user.")}
        tree[os.path.relpath(path, top)] = row(status, link, content, attributes)
    return tree


KINDS = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK, tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK, tarfile.FIFOTYPE: stat.S_IFIFO}


def nanoseconds(text):
    sign, whole, fraction = re.fullmatch(r"(-?)(\d+)(?:\.(\d*))?", text).groups()
    number = int(whole) * 10**9 + int(((fraction or "") + "0" * 9)[:9])
    return -number if sign else number


def ours(path, extra):
    """What p9serve imports, as it exports it again; or its refusal; and its warnings."""
    target = os.path.join(WORK, "ours")
    result = run(P9SERVE, "import", "--no-sync", "--json", *extra, path, target, preload=False)
    events = [json.loads(line) for line in result.stdout.decode().splitlines()]
    warnings = [event["message"] for event in events if event["event"] == "warning"]
    if result.returncode != 0:
        if result.returncode < 0 or events[-1]["event"] != "error":
            raise SystemExit(f"p9serve ended by {result.returncode}: {result.stderr.decode()}")
        return None, events[-1]["message"] + " // " + (events[-1]["hint"] or ""), warnings
    exported = run(P9SERVE, "export", "--quiet", target, "-", preload=False)
    remove(target)
    if exported.returncode != 0:
        raise SystemExit(f"the tree can't be exported: {exported.stderr.decode()}")
    tree = {}
    with tarfile.open(fileobj=io.BytesIO(exported.stdout)) as archive:
        for info in archive:
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
            content = archive.extractfile(info).read() if info.isreg() else None
            prefix = "SCHILY.xattr."
            attributes = {
                key[len(prefix) :].replace("%3D", "=").replace("%25", "%"): len(value.encode("utf-8", "surrogateescape"))
                for key, value in records.items()
                if key.startswith(prefix + "user.") and info.type != tarfile.SYMTYPE
            }
            tree[name] = row(status, info.linkname if info.issym() else None, content, attributes)
    return tree, None, warnings


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
}


def add_listed_attributes(path, tree):
    """GNU tar's --xattrs and fakeroot don't go together; its listing has names and sizes."""
    result = run("tar", "--xattrs", "--xattrs-include=user.*", "-tvvf", path, "--quoting-style=literal")
    name = None
    for line in result.stdout.decode("utf-8", "surrogateescape").split("\n"):
        if line.startswith("  x: "):
            size, attribute = line[5:].split(" ", 1)
            if name in tree and attribute.startswith("user."):
                tree[name]["attributes"][attribute] = int(size)
        elif " link to " in line and len(line.split(None, 5)) == 6:
            link, target = line.split(None, 5)[5].split(" link to ")
            if link in tree and target in tree:
                tree[link]["attributes"] = tree[target]["attributes"]
        elif len(line.split(None, 5)) == 6:
            name = os.path.normpath(line.split(None, 5)[5].split(" link to ")[0].split(" -> ")[0])


def differences(mine, theirs, reader):
    """In words. Only GNU tar and bsdtar have attributes."""
    fields = ["kind", "mode", "owner", "size", "time", "link", "device", "content"]
    fields += ["attributes"] if reader == "gnu" else []
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
    return texts


def compare(case, archive):
    path = os.path.join(WORK, "archive")
    with open(path, "wb") as file:
        file.write(archive)
    tree, refusal, warnings = ours(path, case.options)
    problems = []
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
                    problems.append(f"{name!r} should have {field} {value}: {tree.get(name, {}).get(field)}")
    found = {}
    for reader in case.readers:
        target = os.path.join(WORK, "theirs")
        os.mkdir(target)
        status, said = READERS[reader](path, target)
        theirs = walk(target)
        remove(target)
        if reader == "gnu":
            add_listed_attributes(path, theirs)
        texts = differences(tree, theirs, reader) if tree is not None else []
        # A complaint about the tree that ours is, too, says nothing of ours.
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
