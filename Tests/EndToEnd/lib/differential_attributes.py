"""Extended attributes and access control lists, as programs have them in an archive, for differential.py.

Everywhere here attributes are a dict of names to values in hexadecimal digits; a list is in Linux' binary form.
"""

import base64
import grp
import json
import os
import pwd
import re
import stat
import struct
import sys
import tarfile
import urllib.parse

TAGS = {"user": (1, 2), "group": (4, 8), "mask": (16, 16), "other": (32, 32)}
LISTS = {"SCHILY.acl.access": "system.posix_acl_access", "SCHILY.acl.default": "system.posix_acl_default"}


def number(name, tag):
    if name.isdigit():
        return int(name)
    return (pwd.getpwnam(name).pw_uid if tag == "user" else grp.getgrnam(name).gr_gid) if name else 0xFFFFFFFF


def acl(text):
    """acl(5)'s text, and star's and bsdtar's with a number behind each entry: linux/posix_acl_xattr.h's bytes."""
    entries = []
    for line in re.split(r"[,\n]", text.strip()):
        tag, name, permissions, *identity = line.split(":")
        bits = sum(bit for letter, bit in (("r", 4), ("w", 2), ("x", 1)) if letter in permissions)
        entries.append((TAGS[tag][bool(name)], bits, int(identity[0]) if identity else number(name, tag)))
    entries.sort(key=lambda entry: (entry[0], entry[2]))
    return (struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)).hex()


def of_records(records, form):
    """By an entry's pax records, as tarfile has them. form: names are as "gnu" or "bsdtar" writes them."""
    found = {}
    for key, value in records.items():
        kind, _, name = key.partition(".xattr.")
        if kind == "SCHILY" and name and form != "bsdtar":
            found[name.replace("%3D", "=").replace("%25", "%")] = value.encode("utf-8", "surrogateescape").hex()
        elif kind == "LIBARCHIVE" and name and form == "bsdtar":
            found[urllib.parse.unquote(name)] = base64.b64decode(value + "=" * (-len(value) % 4)).hex()
        elif key in LISTS:
            found[LISTS[key]] = acl(value)
    return found


def of_archive(file, form):
    """Of every entry of a tar archive that isn't a symbolic link."""
    found = {}
    with tarfile.open(fileobj=file) as archive:
        for info in archive:
            name = os.path.normpath(info.name)
            if info.islnk():
                found[name] = found.get(os.path.normpath(info.linkname), {})
            elif not info.issym():
                found[name] = of_records(info.pax_headers, form)
    return found


def of_files(top):
    """Of files on the disk; under fakeroot those that it pretends are there."""
    found = {}
    for path in (os.path.join(base, name) for base, dirs, files in os.walk(top) for name in dirs + files):
        if not stat.S_ISLNK(os.lstat(path).st_mode):
            names = [name for name in os.listxattr(path) if name != "security.selinux"]
            found[os.path.relpath(path, top)] = {name: os.getxattr(path, name).hex() for name in names}
    return found


def permissions(access):
    """The bits that a file's mode has by its list: its group's are the mask."""
    bits = {tag: bits for tag, bits, _ in struct.iter_unpack("<HHI", bytes.fromhex(access)[4:])}
    return bits[1] << 6 | bits.get(16, bits[4]) << 3 | bits[32]


def is_any(archive):
    return any(key in archive for key in (b"SCHILY.xattr.", b"LIBARCHIVE.xattr.", b"SCHILY.acl."))


if __name__ == "__main__":
    json.dump(of_files(sys.argv[1]), sys.stdout)
