"""What round-trip.sh makes and compares.

round_trip.py add OUT.tar                 an archive of what Debian's has none of, to be put behind it
round_trip.py compare [OPTION...] A B     every field of two tar archives, by Python's tarfile; shows what differs
round_trip.py mtree [OPTION...] A B       two listings of bsdtar's, whatever their order

Options, for what a format can't hold: --no-xattrs, --no-acls, --short-times (whole seconds from 1970 to 2106).
"""

import hashlib
import io
import struct
import sys
import tarfile
from decimal import Decimal

CAPABILITY = "SCHILY.xattr.security.capability"


def capability(bits, rootid=None):
    """Version 2, or version 3 with a root user; effective and permitted."""
    if rootid is None:
        return struct.pack("<IIIII", 0x02000001, bits, 0, 0, 0)
    return struct.pack("<IIIIII", 0x03000001, bits, 0, 0, 0, rootid)


def access_list(*entries):
    """A POSIX ACL as Linux' xattrs have it."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def parse_access_list(lines):
    """The same from text: "user::rw-,user:1000:r--"; a name may be followed by its number."""
    tags = {("user", False): 1, ("user", True): 2, ("group", False): 4, ("group", True): 8, ("mask", False): 16}
    tags["other", False] = 32
    entries = []
    for line in lines.replace("\n", ",").split(","):
        tag, who, permissions, *number = line.split(":")
        bits = sum(4 >> "rwx".index(letter) for letter in permissions if letter != "-")
        entries.append((tags[tag, who != ""], bits, int((number or [who])[0]) if who else 0xFFFFFFFF))
    return access_list(*sorted(entries, key=lambda entry: (entry[0], entry[2])))


def text(value):
    return value.decode("utf-8", "surrogateescape")


def add(path):
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:

        def entry(name, kind=tarfile.REGTYPE, content=b"", owner=(0, 0), mode=0o644, xattrs=None, headers=None, time="1700000000", **fields):
            info = tarfile.TarInfo("./more" + name)
            info.type, info.size, info.mode = kind, len(content), mode
            info.uid, info.gid = owner
            headers = dict(headers or {})
            if "." in time:
                headers["mtime"] = time
            for attribute, value in (xattrs or {}).items():
                headers["SCHILY.xattr." + attribute] = text(value)
            info.pax_headers = headers
            info.mtime = int(Decimal(time))
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))

        folder = {"kind": tarfile.DIRTYPE, "mode": 0o755}
        entry("", **folder)
        # A hundred megabytes that no compression makes smaller.
        block = hashlib.sha512(b"usb9pfs").digest() * 16384
        for number in range(25):
            noise = hashlib.shake_128(b"%d" % number).digest(1 << 20)
            entry(f"/noise{number}", content=noise + block[: 1 << 20] + noise * 2, time=f"1600000000.{number:09}")
        for mode in (0, 0o1, 0o100, 0o200, 0o400, 0o444, 0o555, 0o644, 0o666, 0o1644, 0o2755, 0o4711, 0o6755, 0o7777):
            entry(f"/mode-{mode:o}", content=b"%o\n" % mode, mode=mode, owner=(mode, 0))
            entry(f"/dir-{mode:o}", kind=tarfile.DIRTYPE, mode=mode, owner=(0, mode))
        for uid in (1, 65534, 65536, 2097151, 2097152, 0x7FFFFFFF, 0xFFFFFFFE):
            entry(f"/owner-{uid}", content=b"x", owner=(uid, uid - 1))
            entry(f"/link-owner-{uid}", kind=tarfile.SYMTYPE, linkname=f"owner-{uid}", owner=(uid, uid - 1), mode=0o777)
        for major, minor in ((0, 0), (1, 3), (8, 255), (8, 256), (259, 1048575), (4095, 0)):
            entry(f"/char-{major}-{minor}", kind=tarfile.CHRTYPE, devmajor=major, devminor=minor, mode=0o620, owner=(0, 5))
            entry(f"/block-{major}-{minor}", kind=tarfile.BLKTYPE, devmajor=major, devminor=minor, mode=0o660, owner=(7, 6))
        entry("/fifo", kind=tarfile.FIFOTYPE, mode=0o600, owner=(33, 33), time="1234567890.5")
        entry("/capable", content=b"1", mode=0o755, xattrs={"security.capability": capability(1 << 13)})
        entry("/capable-setuid", content=b"2", mode=0o4755, xattrs={"security.capability": capability(0xFFFFFFFF)})
        entry("/capable-root", content=b"3", mode=0o755, xattrs={"security.capability": capability(1, 100000)})
        entry("/attributes", content=b"4", xattrs={"user.one": b"1", "user.two": bytes(range(1, 256)), "user.empty": b""})
        entry("/trusted", content=b"5", xattrs={"trusted.overlay.opaque": b"y", "user.nul": b"a\0b"})
        entry("/long-attribute", content=b"6", xattrs={"user.long": b"x" * 20000})
        entry("/attributed", **folder, xattrs={"user.dir": b"d"})
        # As GNU tar and bsdtar write it.
        lines = "user::rw-,user:1000:r--,group::r--,mask::rw-,other::---"
        entry("/listed", content=b"7", mode=0o660, headers={"SCHILY.acl.access": lines})
        default = {
            "system.posix_acl_default": access_list(
                (1, 7, 0xFFFFFFFF), (2, 7, 1000), (4, 5, 0xFFFFFFFF), (16, 7, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)
            )
        }
        entry("/listed-dir", **folder, xattrs=default)
        entry("/hard", content=b"one file\n", owner=(5, 6), mode=0o4755, time="1111111111.123456789")
        for number in range(3):
            entry(f"/hard{number}", kind=tarfile.LNKTYPE, linkname="./more/hard", owner=(5, 6), mode=0o4755)
        entry("/char-hard", kind=tarfile.CHRTYPE, devmajor=5, devminor=1, mode=0o622)
        entry("/char-hard2", kind=tarfile.LNKTYPE, linkname="./more/char-hard", mode=0o622)
        entry("/name with spaces, \\ and \n a line's end", content=b"8")
        entry("/bytes-" + text(b"\xff\xfe"), content=b"9")
        entry("/ünïcödé", content=b"10")
        deep = "/" + "/".join(["directory-with-a-rather-long-name"] * 12)
        for end in range(len(deep)):
            if deep[end : end + 1] == "/" and end:
                entry(deep[:end], **folder)
        entry(deep, content=b"deep")
        entry("/" + "n" * 255, content=b"11")
        entry("/long-target", kind=tarfile.SYMTYPE, linkname="t/" * 1000 + "end", mode=0o777)
        entry("/empty")
        entry("/old", content=b"12", time="0")
        entry("/before", content=b"13", time="-1")
        entry("/future", content=b"14", time="8589934592")


def shortened(time):
    """As a file system with unsigned 32 bits for seconds has it."""
    return Decimal(min(max(int(time // 1), 0), 0xFFFFFFFF)) if "--short-times" in options else time


def read(path):
    """Path -> what there is to know; the names of one file share what its first one says."""
    entries = {}
    groups = {}
    with tarfile.open(path) as archive:
        for info in archive:
            name = info.name.removeprefix("./").rstrip("/") or "."
            if info.islnk():
                target = info.linkname.removeprefix("./")
                entries[name] = entries[target]
                groups[target].add(name)
                continue
            if name == ".":
                name = ""
            known = {
                "type": info.type.decode(),
                "owner": (info.uid, info.gid),
                "mode": info.mode & 0o7777,
                "time": shortened(Decimal(info.pax_headers.get("mtime", info.mtime))),
            }
            if info.issym():
                known["target"] = info.linkname
                known["mode"] = 0o777  # Linux knows no other
            if info.isreg():
                file = archive.extractfile(info)
                digest = hashlib.sha256()
                while part := file.read(1 << 20):
                    digest.update(part)
                known["size"], known["sha256"] = info.size, digest.hexdigest()
                known["type"] = "0"
            if info.ischr() or info.isblk():
                known["device"] = (info.devmajor, info.devminor)
            if "--no-xattrs" not in options:
                for key, value in info.pax_headers.items():
                    if key.startswith("SCHILY.xattr."):
                        known[key.removeprefix("SCHILY.")] = value
                for name_in_tar in ("access", "default"):
                    if lines := info.pax_headers.get("SCHILY.acl." + name_in_tar):
                        known["xattr.system.posix_acl_" + name_in_tar] = text(parse_access_list(lines))
            if "--no-acls" in options:
                for name_in_tar in ("access", "default"):
                    known.pop("xattr.system.posix_acl_" + name_in_tar, None)
            entries[name] = known
            groups[name] = {name}
    for group in groups.values():
        first = min(group)
        for name in group:
            entries[name] = {**entries[name], "links": len(group), "same as": first}
    return entries


def compare(first, second):
    one, other = read(first), read(second)
    trouble = []
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other:
            trouble.append(f"{name!r}: only in {first if name in one else second}")
            continue
        for key in sorted(one[name].keys() | other[name].keys()):
            was, now = one[name].get(key), other[name].get(key)
            if was != now:
                trouble.append(f"{name!r}: {key}: {str(was)[:120]!a}, then {str(now)[:120]!a}")
    return trouble, f"{len(one)} entries"


def read_mtree(path):
    """Path -> its keywords."""
    entries = {}
    defaults = {}
    with open(path, errors="surrogateescape") as listing:
        for line in listing:
            if line.startswith("#") or not line.strip():
                continue
            name, *words = line.split()
            keywords = dict(word.split("=", 1) if "=" in word else (word, "") for word in words)
            if name == "/set":
                defaults.update(keywords)
                continue
            if name == "/unset":
                for word in keywords:
                    defaults.pop(word, None)
                continue
            keywords = {**defaults, **keywords}
            for word in ("inode", "resdevice"):  # the listing program's own
                keywords.pop(word, None)
            if "time" in keywords:
                seconds, _, nanoseconds = keywords["time"].partition(".")  # "5.1" is a nanosecond after 5
                keywords["time"] = shortened(Decimal(seconds) + Decimal(int(nanoseconds or 0)).scaleb(-9))
            if "--no-acls" in options and name.endswith("more/listed"):
                keywords.pop("mode")  # libarchive takes it from the ACL, if there is one
            # A name and its directory's may be written with or without the first dot.
            entries[name.removeprefix("/").removeprefix("./") or "."] = keywords
    return entries


def is_later_name(entry):
    return entry.get("type") == "file" and "sha256digest" not in entry


def compare_mtree(first, second):
    one, other = read_mtree(first), read_mtree(second)
    trouble = []
    for name in sorted(one.keys() | other.keys()):
        was, now = one.get(name), other.get(name)
        if was and now and (is_later_name(was) or is_later_name(now)):
            # Which of a file's names carries content and time is a matter of order; `compare` looks at these.
            was, now = ({word: entry.get(word) for word in ("type", "mode", "uid", "gid")} for entry in (was, now))
        if was is None or now is None:
            trouble.append(f"{name}: {'there' if was is not None else 'missing'}, then {'there' if now is not None else 'missing'}")
        elif was != now:
            changed = [word for word in sorted(was.keys() | now.keys()) if was.get(word) != now.get(word)]
            trouble.append(f"{name}: " + ", ".join(f"{word} {was.get(word)} then {now.get(word)}" for word in changed)[:300])
    keywords = sorted({word for entry in one.values() for word in entry})
    if not {"sha256digest", "mode", "uid", "gid", "time", "size", "type", "link", "device"} <= set(keywords):
        trouble.append(f"these keywords only: {keywords}")
    return trouble, f"{len(one)} entries, keywords {' '.join(keywords)}"


command, *arguments = sys.argv[1:]
options = {argument for argument in arguments if argument.startswith("--")}
if options - {"--no-xattrs", "--no-acls", "--short-times"}:
    sys.exit(f"unknown: {options}")
if command == "add":
    add(arguments[0])
    sys.exit()
found, note = {"compare": compare, "mtree": compare_mtree}[command](*arguments[-2:])
print(note)
for line in found[:25]:
    print(line.encode(errors="backslashreplace").decode())
if len(found) > 25:
    print(f"and {len(found) - 25} more")
sys.exit(bool(found))
