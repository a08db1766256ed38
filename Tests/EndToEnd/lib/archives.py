"""Archives byte by byte: fields that no program writes, and those that few do."""

import io
import tarfile

USTAR = b"ustar\0" + b"00"
GNU = b"ustar  \0"
V7 = b"\0" * 8
FIELDS = {
    "name": (0, 100), "mode": (100, 8), "uid": (108, 8), "gid": (116, 8), "size": (124, 12), "mtime": (136, 12),
    "checksum": (148, 8), "type": (156, 1), "link": (157, 100), "magic": (257, 8), "uname": (265, 32), "gname": (297, 32),
    "major": (329, 8), "minor": (337, 8), "prefix": (345, 155), "rest": (500, 12),
}
END = b"\0" * 1024


def octal(number, width):
    return b"%0*o\0" % (width - 1, number)


def base256(number, width):
    return (number & ((1 << (8 * width)) - 1) | (0x80 << (8 * (width - 1)) if number >= 0 else 0)).to_bytes(width, "big")


def padded(data):
    return data + b"\0" * (-len(data) % 512)


def header(name, size=0, signed=False, checksum=None, **fields):
    """One block. Fields are bytes as they stand there, or numbers for octal digits."""
    block = bytearray(512)
    values = {"mode": 0o644, "uid": 0, "gid": 0, "mtime": 1000, "type": b"0", "magic": USTAR, **fields}
    values |= {"name": name, "size": size}
    for field, value in values.items():
        start, width = FIELDS[field]
        value = octal(value, width) if isinstance(value, int) else value
        block[start : start + len(value)] = value
    block[148:156] = b" " * 8
    total = sum(byte - 256 if signed and byte > 127 else byte for byte in block)
    block[148:156] = checksum if checksum is not None else b"%06o\0 " % total
    return bytes(block)


def entry(name, data=b"", **fields):
    return header(name, **{"size": len(data), **fields}) + padded(data)


def record(key, value):
    rest = len(key) + len(value) + 3
    length = rest + 1
    while len(str(length)) + rest != length:
        length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def pax(records, flag=b"x", name=b"PaxHeader"):
    """An extended header. Records are pairs, or the bytes of the whole."""
    if not isinstance(records, bytes):
        records = b"".join(record(key, value) for key, value in records)
    return entry(name, records, type=flag)


def long(flag, text):
    return entry(b"././@LongLink", text + b"\0", type=flag, magic=GNU, mode=0, mtime=0)


def python(fill, format):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        fill(archive)
    return buffer.getvalue()


def newc(name, data=b"", mode=0o100644, ino=0, links=1, mtime=1000, magic=b"070701", check=0, uid=0, gid=0, rdev=(0, 0), dev=(0, 0)):
    name += b"\0"
    numbers = (ino, mode, uid, gid, links, mtime, len(data), *dev, *rdev, len(name), check)
    head = magic + b"".join(b"%08X" % number for number in numbers) + name
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def odc(name, data=b"", mode=0o100644, ino=1, links=1, mtime=1000, uid=0, gid=0, raw=None):
    name += b"\0"
    head = b"070707" + b"%06o%06o%06o%06o%06o%06o%06o%011o%06o%011o" % (0, ino, mode, uid, gid, links, 0, mtime, len(name), len(data))
    for place, text in (raw or {}).items():
        head = head[:place] + text + head[place + len(text) :]
    return head + name + data


def binary(name, data=b"", mode=0o100644, ino=1, mtime=1000, order="little"):
    name += b"\0"
    numbers = (0o70707, 0, ino, mode, 0, 0, 1, 0, mtime >> 16, mtime & 0xFFFF, len(name), len(data) >> 16, len(data) & 0xFFFF)
    head = b"".join(number.to_bytes(2, order) for number in numbers) + name
    return head + b"\0" * (len(head) % 2) + data + b"\0" * (len(data) % 2)


TRAILER = b"TRAILER!!!"
