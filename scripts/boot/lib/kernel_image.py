"""Kernels and device trees as files, for scripts/boot: standard library only, and zstd or lz4 where a file needs them.

    kernel_image.py configuration FILE OUT     the kernel's configuration as text, from a configuration or an image
    kernel_image.py kind FILE                  one line: KIND VERSION; KIND is arm64, arm64-zboot, arm, x86, elf or unknown,
                                               with ".gz" when the whole file is compressed
    kernel_image.py device-tree FILE OUT       a device tree blob unpacked into directories and files, as /proc/device-tree

Exit codes: 0 done, 1 not found in FILE (said on standard error), 2 wrong arguments.
"""
import bz2
import lzma
import os
import re
import signal
import struct
import subprocess
import sys
import zlib

# What CONFIG_IKCONFIG puts into a kernel: this, a gzip stream, "IKCFG_ED" (kernel/configs.c).
MARKER = b"IKCFG_ST"
TEXT = re.compile(rb"^(CONFIG_[A-Za-z0-9_]+=|# CONFIG_[A-Za-z0-9_]+ is not set$)", re.MULTILINE)
BANNER = re.compile(rb"Linux version (\S+)")


def by_zlib(data):
    stream = zlib.decompressobj(31)
    plain = stream.decompress(data)
    if not stream.eof:
        raise ValueError("its gzip stream ends early")
    return plain


def by_program(*command):
    """A decompressor that complains of what follows the stream but has written all of it by then."""
    def decompress(data):
        try:
            return subprocess.run(command, input=bytes(data), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        except FileNotFoundError:
            missing.add(command[0])
            return b""
    return decompress


missing = set()  # programs that a stream would have needed
# Magic numbers of what kernels are compressed by.
STREAMS = [
    (b"\x1f\x8b\x08", by_zlib),
    (b"\xfd7zXZ\x00", lambda data: lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data)),
    (b"\x28\xb5\x2f\xfd", by_program("zstd", "-dcq", "-")),
    (b"\x02\x21\x4c\x18", by_program("lz4", "-dcq", "-")),
    (b"\x5d\x00\x00\x80\x00", lambda data: lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(data)),
    (b"\x5d\x00\x00\x00\x02", lambda data: lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(data)),
    (b"BZh9", lambda data: bz2.BZ2Decompressor().decompress(data)),
]


def streams(data):
    """Every compressed stream in data that unpacks to something of a kernel's size."""
    for magic, decompress in STREAMS:
        at = data.find(magic)
        while at >= 0:
            try:
                plain = decompress(memoryview(data)[at:])
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
                plain = b""  # the magic number by chance
            if len(plain) > 100_000:
                yield plain
            at = data.find(magic, at + 1)


def embedded(data):
    at = data.find(MARKER)
    while at >= 0:
        if data[at + 8:at + 11] == b"\x1f\x8b\x08":
            return by_zlib(memoryview(data)[at + 8:])
        at = data.find(MARKER, at + 1)
    return None


def is_text(data):
    return b"\x00" not in data[:4096] and TEXT.search(data) is not None


def configuration(data, depth=2):
    """The configuration in a file's content, or None."""
    if is_text(data):
        return data
    found = embedded(data)
    if found is not None or depth == 0:
        return found
    if data[:3] == b"\x1f\x8b\x08":  # /proc/config.gz, too small for streams()
        return configuration(by_zlib(data), depth - 1)
    for plain in streams(data):
        found = configuration(plain, depth - 1)
        if found is not None:
            return found
    return None


def kind(data):
    """(KIND, version): what a boot loader would have to do with it."""
    suffix = ""
    if data[:3] == b"\x1f\x8b\x08":
        suffix, data = ".gz", by_zlib(data)
    if data[:2] == b"MZ" and data[4:8] == b"zimg":
        name = "arm64-zboot"
    elif data[0x38:0x3c] == b"ARM\x64":
        name = "arm64"
    elif data[0x24:0x28] == b"\x18\x28\x6f\x01":
        name = "arm"
    elif data[0x202:0x206] == b"HdrS":
        name = "x86"
    elif data[:4] == b"\x7fELF":
        name = "elf"
    else:
        name = "unknown"
    banner = BANNER.search(data)
    return name + suffix, banner.group(1).decode(errors="replace") if banner else "-"


def device_tree(data, out):
    """Devicetree specification 0.4, chapter 5: a header of big-endian words, then tokens."""
    if len(data) < 40 or data[:4] != b"\xd0\x0d\xfe\xed":
        fail("it is not a device tree blob")
    structure, strings = struct.unpack(">II", data[8:16])
    at, path = structure, out
    while True:
        (token,) = struct.unpack_from(">I", data, at)
        at += 4
        if token == 1:  # a node begins: its name, padded
            end = data.index(b"\x00", at)
            path = os.path.join(path, safe_name(data[at:end])) if at != end else path
            os.makedirs(path, exist_ok=True)
            at = (end + 4) & ~3
        elif token == 2:  # a node ends
            path = path if path == out else os.path.dirname(path)
        elif token == 3:  # a property: length, name, value, padded
            length, name = struct.unpack_from(">II", data, at)
            start = strings + name
            with open(os.path.join(path, safe_name(data[start:data.index(b"\x00", start)])), "wb") as file:
                file.write(data[at + 8:at + 8 + length])
            at = (at + 8 + length + 3) & ~3
        elif token == 9:
            return
        elif token != 4:  # 4: nothing
            fail(f"its structure is damaged at byte {at - 4}")


def safe_name(name):
    text = name.decode("ascii", errors="replace")
    if text in ("", ".", "..") or "/" in text:
        fail(f"a node or property of it is called {text!r}")
    return text


def fail(message):
    print(message, file=sys.stderr)
    sys.exit(1)


def main(arguments):
    if len(arguments) == 3 and arguments[0] in ("configuration", "device-tree"):
        verb, file, out = arguments
    elif len(arguments) == 2 and arguments[0] == "kind":
        (verb, file), out = arguments, None
    else:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with open(file, "rb") as content:
            data = content.read()
    except OSError as error:
        fail(error.strerror)
    try:
        if verb == "kind":
            print(*kind(data))
        elif verb == "device-tree":
            device_tree(data, out)
        else:
            text = configuration(data)
            if text is None:
                fail("no configuration is in it" + "".join(f" ({program} may be needed to unpack it)" for program in sorted(missing)))
            with open(out, "wb") as content:
                content.write(text)
    except (struct.error, ValueError, zlib.error) as error:
        fail(f"it is damaged: {error}")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    sys.exit(main(sys.argv[1:]))
