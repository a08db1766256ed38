"""The archives of the differential test, and what p9serve makes of each; see differential.py."""

import os
import tarfile
from dataclasses import dataclass, field

import archives
from archives import END, GNU, V7, base256, binary, entry, header, long, newc, odc, pax, record

TAR = ("gnu", "bsdtar", "python")
CPIO = ("cpio", "bsdtar")


@dataclass
class Case:
    name: str
    archive: bytes
    readers: tuple = TAR
    # Words of the refusal, of a warning; nil: a tree, and no warning.
    refused: str = None
    warning: str = None
    # Why other programs make another tree of it.
    differs: dict = field(default_factory=dict)
    # What docs/importing.md says about it.
    rule: str = None
    # What must be so in ours, by name and field.
    tree: dict = None
    options: tuple = ()


def many(archive):
    """What every format and every program has, through Python's tarfile."""

    def add(name, type=tarfile.REGTYPE, data=b"", **fields):
        info = tarfile.TarInfo(name)
        info.type, info.size, info.mtime = type, len(data), 1000
        for key, value in fields.items():
            setattr(info, key, value)
        archive.addfile(info, archives.io.BytesIO(data))

    add("d", tarfile.DIRTYPE, mode=0o1777)
    add("d/f", data=b"content", mode=0o4755, uid=7, gid=8)
    add("h", tarfile.LNKTYPE, linkname="d/f", mode=0o4755, uid=7, gid=8)
    add("s", tarfile.SYMTYPE, linkname="../x y", uid=5)
    add("c", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
    add("b", tarfile.BLKTYPE, devmajor=8, devminor=255)
    add("p", tarfile.FIFOTYPE)
    add("e")
    add("n" * 95, data=b"1")
    add("x/" * 40 + "n" * 60, data=b"2")
    add("big", data=b"z" * 1025, uid=2097151, gid=65534)
    if archive.format != tarfile.USTAR_FORMAT:
        add("a" * 200, data=b"3")
        add("y" * 100, data=b"4")
        add("z" * 255, data=b"5")
        add("k", tarfile.SYMTYPE, linkname="t" * 300)
        add("i/" * 100 + "j" * 155, data=b"6")
        add("o", data=b"o", uid=3000000, gid=4294967294)
        add("t", data=b"t", mtime=8589934592 * 2)
        add("m", data=b"m", mtime=-5)


def tools(work, run):
    """By GNU tar, bsdtar and cpio, of files on the disk, in each of their formats."""
    tree = os.path.join(work, "files")
    os.makedirs(os.path.join(tree, "d" * 60, "e" * 60))
    os.chdir(tree)

    def write(name, content, mode=0o644):
        with open(name, "wb") as file:
            file.write(content)
        os.chmod(name, mode)

    write("f", b"content\n", 0o4711)
    os.chown("f", 1000, 100)
    os.link("f", "g")
    os.symlink("../nowhere", "s")
    os.mkfifo("p")
    os.mknod("c", 0o20620, os.makedev(5, 1))
    os.mknod("b", 0o60660, os.makedev(8, 1))
    write("empty", b"")
    write("d" * 60 + "/" + "e" * 60 + "/" + "f" * 90, b"long")
    with open("hole", "wb") as file:
        file.seek(1 << 20)
        file.write(b"x" * 5000)
        for number in range(10):
            file.seek((20 + number) << 16)
            file.write(b"y" * 4096)
        file.truncate(3 << 20)
    os.setxattr("f", "user.note", b"value 1")
    paths = [os.path.join(base, name) for base, dirs, files in os.walk(".") for name in dirs + files]
    for path in sorted(paths, reverse=True):
        os.utime(path, ns=(10**18 + 5 * 10**8, 10**18 + 5 * 10**8), follow_symlinks=False)
    short = [name for name in sorted(os.listdir(".")) if len(name) < 60]

    def made(*command, **options):
        result = run(*command, **options)
        if result.returncode != 0:
            raise SystemExit(f"{command}: {result.stderr.decode()}")
        return result.stdout

    for format in ("v7", "oldgnu", "gnu", "ustar", "posix"):
        for sparse in ([], ["-S"]) if format in ("oldgnu", "gnu", "posix") else ([],):
            names = short if format == "v7" else sorted(os.listdir("."))
            names = [name for name in names if name not in "cbp"] if format == "v7" else names
            attributes = ["--xattrs"] if format == "posix" else []
            archive = made("tar", "-c", f"--format={format}", *sparse, *attributes, "--numeric-owner", "-f", "-", *names)
            yield Case(f"GNU tar's {format}{' with holes' if sparse else ''}", archive)
    for version in ("0.0", "0.1", "1.0"):
        archive = made("tar", "-cS", "--format=posix", f"--sparse-version={version}", "-f", "-", "hole")
        yield Case(f"GNU tar's sparse files of version {version}", archive)
    for format in ("ustar", "pax", "gnutar", "v7", "cpio", "newc", "odc", "bin"):
        names = short if format == "v7" else sorted(os.listdir("."))
        names = [name for name in names if name not in "cbp"] if format == "v7" else names
        # bsdtar 3.6 ends without an error where the old form has no room.
        names = ["empty", "f", "g", "s"] if format == "bin" else names
        result = run("bsdtar", "-c", f"--format={format}", "-f", "-", *names)
        readers = CPIO if format in ("cpio", "newc", "odc", "bin") else TAR
        yield Case(f"bsdtar's {format}", result.stdout, readers)
    for format in ("newc", "crc", "odc", "bin", "ustar", "tar"):
        names = short if format in ("bin", "ustar", "tar") else sorted(os.listdir("."))
        names = [name for name in names if name not in "cbp"] if format == "tar" else names
        result = run("cpio", "-o", "--quiet", "-H", format, input="\n".join(names).encode())
        yield Case(f"GNU cpio's {format}", result.stdout, TAR if format in ("ustar", "tar") else CPIO)
    os.chdir(work)


def images(work, run):
    """By tar2sqfs, mksquashfs and gensquashfs, of what tools() has made."""
    tree, image = os.path.join(work, "files"), os.path.join(work, "image")
    listing = os.path.join(work, "listing")
    archive = os.path.join(work, "input")
    both = ("unsquashfs", "rdsquashfs")

    def made(*command):
        result = run(*command, cwd=tree)
        if result.returncode != 0:
            raise SystemExit(f"{command}: {result.stderr.decode()}")
        with open(image, "rb") as file:
            content = file.read()
        os.unlink(image)
        return content

    def written(path, content):
        with open(path, "wb") as file:
            file.write(content)
        return path

    made_by = "exec tar -c --format=posix --xattrs -f - * | tar2sqfs -q -f "
    yield Case("tar2sqfs' image", made("sh", "-c", made_by + image), both)
    odd = [(b"SCHILY.xattr." + name, value) for name, value in VALUES if b"=" not in name]
    written(archive, pax(odd + [(b"SCHILY.xattr.security.capability", CAPABILITY)]) + entry(b"f", b"x") + END)
    # Images are read through sqfs2tar, which marks no end of a name.
    yield Case("tar2sqfs' image with attributes", made("sh", "-c", f"tar2sqfs -q -f {image} < {archive}"), both, warning='may go on up to another "="', tree={"f": {"attributes": expected(odd_values(odd) | {"security.capability": CAPABILITY})}})
    for attribute, value in VALUES + [(b"trusted.t", b"\0"), (b"security.capability", CAPABILITY)]:
        if b"=" not in attribute + value:
            os.setxattr(os.path.join(tree, "empty"), attribute, value)
    for options in ([], ["-noI", "-noD", "-noF", "-no-fragments"], ["-comp", "xz", "-b", "4096"], ["-comp", "zstd", "-no-xattrs"], ["-all-root", "-no-exports"], ["-all-time", "7"]):
        yield Case(" ".join(["mksquashfs' image", *options]), made("mksquashfs", tree, image, "-quiet", "-no-progress", *options), both)
    for options in (["-k", "-x"], ["-k", "-x", "-c", "zstd", "-b", "4096"], ["-T", "-e", "--all-root"]):
        yield Case(" ".join(["gensquashfs' image", *options]), made("gensquashfs", "-q", "-D", tree, *options, image), both)
    lines = ["dir /dev 0755 0 0", "nod /dev/console 0600 0 5 c 5 1", "nod /dev/sda 0660 0 6 b 259 65536", "pipe /p 0640 1 2", "sock /s 0755 3 4", "slink /l 0777 70000 4294967294 ../dev", "file /f 04755 7 8 f", "link /h 0777 0 0 /f"]
    written(listing, "\n".join(lines).encode() + b"\n")
    attributes = written(archive, b"# file: f\nuser.a=0x000a3d25\nsecurity.capability=0x%s\ntrusted.t=0x31\n\n# file: dev\nuser.d=0x32\n\n" % CAPABILITY.hex().encode())
    yield Case("gensquashfs' image of a list", made("gensquashfs", "-q", "-D", tree, "-F", listing, "-A", attributes, image), both, warning="cannot pack socket", differs=dict.fromkeys(both, "has the socket"))
    os.unlink(listing)
    os.unlink(archive)


# security.capability as setcap cap_net_raw+ep has Linux store it: linux/capability.h's revision 2.
CAPABILITY = bytes.fromhex("0100000200200000" + "00" * 12)
# Names as they are on the disk.
VALUES = [
    (b"user.bytes", bytes(range(256))),
    (b"user.nul", b"\0"),
    (b"user.line", b"\n1 x=y\n"),
    (b"user.equals", b"=a=%3D%25"),
    (b"user.empty", b""),
    (b"user.long", b"v" * 1000),
    (b"user.a%b", b"1"),
    (b"user.a%25b", b"2"),
    (b"user.a=b=c", b"3"),
    (b"user.=", b"4"),
    (b"user.%3D", b"5"),
    (b"user.\xc3\xa9", b"6"),
    (b"user.a b", b"7"),
]


def odd_values(values):
    return {name.removeprefix(b"SCHILY.xattr.").decode(): value for name, value in values}


def expected(values):
    return {name: value.hex() for name, value in values.items()}


def access(work, run):
    """Attributes and access control lists by GNU tar and bsdtar, of files on the disk."""
    tree = os.path.join(work, "access")
    os.makedirs(os.path.join(tree, "d"))
    os.chdir(tree)
    for name in ("f", "d/g", "a", "x"):
        with open(name, "wb") as file:
            file.write(b"content")

    def made(*command, preload=False):
        result = run(*command, preload=preload)
        if result.returncode != 0:
            raise SystemExit(f"{command}: {result.stderr.decode()}")
        return result.stdout

    gnu = ("tar", "-c", "--format=posix", "--owner=0", "--group=0", "--acls", "--xattrs", "--xattrs-include=*", "-f", "-")
    bsd = ("bsdtar", "-c", "--format=pax", "--uid=0", "--gid=0", "--acls", "--xattrs", "-f", "-")
    # fakeroot keeps these, which only root can set. It pretends that setting a list has worked, and doesn't set it.
    for name in ("f", "d"):
        for attribute, value in VALUES + [(b"trusted.t", b"\0"), (b"security.capability", CAPABILITY)]:
            os.setxattr(name, attribute, value)
    every = odd_values(VALUES) | {"trusted.t": b"\0", "security.capability": CAPABILITY}
    values = {name: {"attributes": expected(every)} for name in "fd"}
    lists = {"rule": "`SCHILY.acl.*`", "differs": {"python": "knows no lists, and bsdtar writes the mode without them"}}
    codes = "decoded as GNU tar does"
    yield Case("attributes by GNU tar", made(*gnu, "d", "f", preload=True), warning=codes, tree=values, differs={"bsdtar": "decodes no names of GNU tar's"})
    for name in ("f", "d"):
        for attribute, _ in VALUES:
            if not attribute.replace(b"user.", b"").isalpha():
                os.removexattr(name, attribute)
                del values[name]["attributes"][attribute.decode()]
    yield Case("attributes by bsdtar", made(*bsd, "d", "f", preload=True), tree=values)
    made("setfacl", "-m", "u:1234:rw,u:70000:---,g:4321:r-x,m::rwx", "a")
    made("setfacl", "-m", "d:u:1234:rwx,d:g:4321:r-x,u:99999:r-x", "d")
    made("setfacl", "-m", "u:root:r-x", "x")
    yield Case("lists by GNU tar", made(*gnu, "a"))
    yield Case("lists by bsdtar", made(*bsd, "a"), **lists)
    made("setfacl", "-b", "d/g")
    yield Case("lists of a directory by GNU tar", made(*gnu, "d"))
    yield Case("lists of a directory by bsdtar", made(*bsd, "d"))
    yield Case("a list that names root by GNU tar", made(*gnu, "x"))
    yield Case("a list that names root by bsdtar", made(*bsd, "x"), **lists)
    made("setfacl", "-m", "u:daemon:rw-,g:bin:r--", "x")
    yield Case("a list that names a user by bsdtar", made(*bsd, "x"), **lists)
    # With --xattrs-include it writes the list in Linux' form as well, which has numbers.
    yield Case("a list that names a user by GNU tar", made(*gnu, "x"))
    text = ("tar", "-c", "--format=posix", "--owner=0", "--group=0", "--acls", "-f", "-")
    yield Case("a list of numbers by GNU tar, as text", made(*text, "a", "d"))
    yield Case("a list that names a user by GNU tar, as text", made(*text, "x"), warning="access control list is left out", differs={"gnu": "looks for the user on this machine", "bsdtar": "looks for the user on this machine", "python": "keeps the mask as the bits of the group"})
    os.chdir(work)


STAR = {"rule": "tar archives of GNU tar, bsdtar, star", "differs": {"gnu": "can't read a list with numbers behind the names"}}


def lists():
    """What a record for a list may hold. star puts the number behind the permissions."""

    def case(name, text, key=b"access", mode=0o664, **rest):
        return Case("list: " + name, pax([(b"SCHILY.acl." + key, text)]) + entry(b"f", b"x", mode=mode) + END, **rest)

    star = b"user::rw-,user:nobody-here:rw-:1234,group::r--,group:none:r--:4321,mask::rw-,other::r--"
    yield case("numbers", b"user::rw-,user:1234:rw-,group::r--,group:4321:r--,mask::rw-,other::r--")
    yield case("lines", b"user::rw-\nuser:1234:rw-\ngroup::r--\nmask::rw-\nother::r--\n")
    yield case("star's, with names and numbers", star, **STAR)
    yield case("numbers twice", b"user::rw-,user:1234:rw-:1234,group::r--,mask::rw-,other::r--")
    yield case("no more than the mode says", b"user::rw-,group::rw-,other::r--")
    yield case("in another order", b"other::r--,mask::rw-,group::r--,user:9:r--,user:1234:rw-,user::rw-")
    yield case("short names", b"u::rw-,u:1234:rw-,g::r--,m::rw-,o::r--")


def star():
    """star's own headers, written by hand (no star was there to compare with): times in the prefix's second half, and "tar" at the end of the block."""

    def block(name, data=b"", prefix=b"", mark=b"tar\0", **fields):
        text = prefix.ljust(131, b"\0") + b"%011o " % 1111 + b"%011o " % 2222
        return entry(name, data, prefix=text, rest=b"\0" * 8 + mark, **fields)

    yield Case("star's xstar", block(b"d/", type=b"5", mode=0o755) + block(b"d/f", b"x", uid=7) + block(b"f" * 100, b"y", prefix=b"p" * 130) + END)
    yield Case("star's xustar", pax([(b"path", b"n" * 200), (b"mtime", b"5.5"), (b"atime", b"6.5"), (b"ctime", b"7.5")]) + block(b"n" * 100, b"x", mark=b"\0" * 4) + END)
    common = [(b"SCHILY.dev", b"2049"), (b"SCHILY.ino", b"77"), (b"SCHILY.nlink", b"1"), (b"SCHILY.filetype", b"regular")]
    begin = pax([(b"SCHILY.archtype", b"exustar"), (b"SCHILY.volhdr.filetype", b"1")], b"g")
    yield Case("star's exustar", begin + pax([(b"path", b"n" * 200), (b"uid", b"3000000"), *common]) + entry(b"n" * 100, b"x") + END)
    yield Case("star's exustar with a list", begin + pax([*common, (b"SCHILY.acl.access", b"user::rw-,user:x:rw-:1234,group::r--,mask::rw-,other::r--")]) + entry(b"f", b"x", mode=0o664) + END, **STAR)


def names():
    yield Case("a name of 100 bytes without a NUL", entry(b"n" * 100, b"x") + END)
    yield Case("prefix of 155 bytes", entry(b"f" * 100, b"x", prefix=b"p" * 155) + END)
    yield Case("prefix with slashes", entry(b"f", b"x", prefix=b"a//b/") + END)
    yield Case("prefix in an old GNU header", entry(b"f", b"x", prefix=b"p", magic=GNU) + END, rule="its prefix counts in ustar headers only", differs={"python": "joins the prefix in any header"})
    yield Case("prefix in a v7 header", entry(b"f", b"x", prefix=b"p", magic=V7) + END, rule="its prefix counts in ustar headers only", differs={"python": "joins the prefix in any header"})
    yield Case("a name of 256 bytes", pax([(b"path", b"n" * 256)]) + entry(b"short", b"x") + END, refused="longer than 255 bytes")
    yield Case("./, // and /./", entry(b"./a//b", b"x") + entry(b"a/./c", b"y") + entry(b".//d", b"z") + END)
    yield Case("an entry for the root", entry(b"./", type=b"5", mode=0o755) + entry(b"./a") + END)
    yield Case("an empty name", entry(b"", b"x") + entry(b"a") + END, refused="without a name")
    yield Case("a slash behind a file's name", entry(b"d/", type=b"0", mode=0o755) + entry(b"e/", type=b"\0", mode=0o755, magic=V7) + END, rule="a file whose name ends with a slash is a directory", differs={"python": "makes a file of type 0"})
    yield Case("a slash behind a file's name, with content", entry(b"d/", b"x", type=b"0") + entry(b"e") + END, refused="not a header")
    yield Case("a slash behind a directory's name, and none", entry(b"d/", type=b"5", mode=0o755) + entry(b"e", type=b"5", mode=0o755) + END)
    yield Case("a slash behind a link's name", entry(b"l/", type=b"2", link=b"x") + END)
    yield Case("bytes that are not UTF-8", entry(b"\xff\xfe", b"x") + entry(b"\xc3\xa9", b"y") + END)
    yield Case("pax: a path that is not UTF-8", pax([(b"path", b"\xff")]) + entry(b"short", b"x") + END)
    yield Case("pax: hdrcharset=BINARY", pax([(b"hdrcharset", b"BINARY"), (b"path", b"\xff\xe9")]) + entry(b"short", b"x") + END)
    yield Case("pax: a path and a prefix", pax([(b"path", b"real")]) + entry(b"f", b"x", prefix=b"p") + END)
    yield Case("pax: the path twice", pax([(b"path", b"one"), (b"path", b"two")]) + entry(b"f", b"x") + END)
    yield Case("pax: an empty path", pax([(b"path", b"")]) + entry(b"f", b"x") + END, rule="an empty value cancels the key", differs={"gnu": "takes the empty name", "python": "takes the empty name"})
    yield Case("pax: an empty link", pax([(b"linkpath", b"")]) + entry(b"f", type=b"2", link=b"t") + END, rule="an empty value cancels the key", differs={"gnu": "takes the empty target", "python": "takes the empty target"})
    yield Case("pax: two headers in a row", pax([(b"path", b"one"), (b"uid", b"5")]) + pax([(b"path", b"two")]) + entry(b"f", b"x") + END, refused="two extended headers")
    yield Case("pax: a NUL in the path", pax([(b"path", b"a\0b")]) + entry(b"f", b"x") + END, refused="has a NUL")
    yield Case("pax: a NUL in a link", pax([(b"linkpath", b"a\0b")]) + entry(b"f", type=b"2", link=b"t") + END, refused="has a NUL")
    yield Case("GNU: a long name", long(b"L", b"l" * 200) + entry(b"l" * 100, b"x", magic=GNU) + END)
    yield Case("GNU: a long name and a long link", long(b"K", b"k" * 200) + long(b"L", b"l" * 200) + entry(b"l" * 100, type=b"2", link=b"k" * 100, magic=GNU) + END)
    yield Case("GNU: two long names", long(b"L", b"first") + long(b"L", b"second") + entry(b"f", b"x", magic=GNU) + END, refused="two long names")
    yield Case("GNU: a long name and pax", long(b"L", b"gnu") + pax([(b"path", b"pax")]) + entry(b"f", b"x") + END, refused="another one in an entry")
    yield Case("GNU: pax and a long name", pax([(b"path", b"pax")]) + long(b"L", b"gnu") + entry(b"f", b"x", magic=GNU) + END, refused="another one in an entry")
    yield Case("GNU: a long name with a NUL within", long(b"L", b"a\0b") + entry(b"f", b"x", magic=GNU) + END)
    yield Case("names that come again", entry(b"a", b"old") + entry(b"b") + entry(b"a", b"new", mode=0o600) + END)
    yield Case("a directory that comes again", entry(b"d", type=b"5", mode=0o700) + entry(b"d/f") + entry(b"d", type=b"5", mode=0o755, uid=3) + END)


def globals_():
    yield Case("global: a comment", pax([(b"comment", b"0123456789")], b"g") + entry(b"f", b"x") + END)
    yield Case("global: uid, gid, mtime", pax([(b"uid", b"7"), (b"gid", b"8"), (b"mtime", b"5.5")], b"g") + entry(b"f", b"x") + pax([(b"uid", b"9")]) + entry(b"g", b"y") + END, rule="Global headers hold for what follows", differs={"bsdtar": "leaves global headers out"})
    yield Case("global: uid and an empty uid of the entry", pax([(b"uid", b"7")], b"g") + pax([(b"uid", b"")]) + entry(b"f", b"x", uid=3) + END, rule="an empty value cancels the key", differs={"gnu": "fails", "bsdtar": "takes it for 0", "python": "takes it for 0"})
    yield Case("global: two in a row", pax([(b"uid", b"7"), (b"gid", b"7")], b"g") + pax([(b"uid", b"8")], b"g") + entry(b"f", b"x") + END, rule="Global headers hold for what follows", differs={"gnu": "forgets the first", "bsdtar": "leaves global headers out"})
    yield Case("global: path", pax([(b"path", b"all")], b"g") + entry(b"f", b"x") + END, refused="a global header")
    yield Case("global: size", pax([(b"size", b"3")], b"g") + entry(b"f", b"xyz") + END, refused="a global header")
    yield Case("global: attributes", pax([(b"SCHILY.xattr.user.a", b"1")], b"g") + entry(b"f", b"x") + END, refused="a global header")
    yield Case("global: damaged", pax(b"10 uid=7\n", b"g") + entry(b"f", b"x") + END, refused="not there")


def records():
    yield Case("record: length too small", pax(b"5 uid=7\n") + entry(b"f", b"x") + END, refused="wrong length")
    yield Case("record: length too large", pax(b"50 uid=7\n") + entry(b"f", b"x") + END, refused="not there")
    yield Case("record: length of nothing", pax(b"0 uid=7\n") + entry(b"f", b"x") + END, refused="not there")
    yield Case("record: no length", pax(b"uid=7\n") + entry(b"f", b"x") + END, refused="without a length")
    yield Case("record: no =", pax(b"6 uid\n") + entry(b"f", b"x") + END, refused="without a")
    yield Case("record: no line end", pax(b"7 uid=7X") + entry(b"f", b"x") + END, refused="wrong length")
    yield Case("record: NULs behind", pax(record(b"uid", b"7") + b"\0" * 20) + entry(b"f", b"x") + END)
    yield Case("record: an empty header", pax(b"") + entry(b"f", b"x") + END)
    yield Case("record: unknown keys", pax([(b"VENDOR.thing", b"1"), (b"comment", b"\xff\0")]) + entry(b"f", b"x") + END)
    yield Case("record: uid no number", pax([(b"uid", b"abc")]) + entry(b"f", b"x") + END, refused="not a number that Linux has")
    yield Case("record: uid negative", pax([(b"uid", b"-1")]) + entry(b"f", b"x") + END, refused="not a number that Linux has")
    yield Case("record: uid with a fraction", pax([(b"uid", b"7.5")]) + entry(b"f", b"x") + END, refused="not a number that Linux has")
    yield Case("record: uid with a blank", pax([(b"uid", b" 7")]) + entry(b"f", b"x") + END, refused="not a number that Linux has")
    yield Case("record: uid too large", pax([(b"uid", b"4294967295")]) + entry(b"f", b"x") + END, refused="not a number that Linux has")
    yield Case("record: uid empty", pax([(b"uid", b"")]) + entry(b"f", b"x", uid=3) + END, rule="an empty value cancels the key", differs={"bsdtar": "takes it for 0", "python": "takes it for 0"})
    yield Case("record: size", pax([(b"size", b"3")]) + header(b"f", 0) + archives.padded(b"abc") + entry(b"g") + END)
    yield Case("record: size and a larger one in the header", pax([(b"size", b"3")]) + entry(b"f", b"abcdef") + entry(b"g") + END)
    yield Case("record: size no number", pax([(b"size", b"x")]) + entry(b"f", b"abc") + END, refused="not a header")
    yield Case("record: size negative", pax([(b"size", b"-3")]) + entry(b"f", b"abc") + END, refused="negative")
    yield Case("record: size empty", pax([(b"size", b"")]) + entry(b"f", b"abc") + END, refused="not a header")
    yield Case("record: size of a directory", pax([(b"size", b"512")]) + entry(b"d", type=b"5", mode=0o755) + entry(b"g") + END, refused="programs differ")
    yield Case("record: size of a link", pax([(b"size", b"512")]) + entry(b"l", type=b"2", link=b"x") + entry(b"g") + END, refused="programs differ")
    yield Case("record: mtime with a fraction", pax([(b"mtime", b"1234.5")]) + entry(b"f", b"x") + END)
    yield Case("record: mtime finer than a nanosecond", pax([(b"mtime", b"1234.1234567899")]) + entry(b"f", b"x") + END)
    yield Case("record: mtime negative", pax([(b"mtime", b"-1.5")]) + entry(b"f", b"x") + END, rule="times before 1970 are exact", differs={"bsdtar": "libarchive 3.6 loses the sign of the fraction"})
    yield Case("record: mtime just below 0", pax([(b"mtime", b"-0.25")]) + entry(b"f", b"x") + END, rule="times before 1970 are exact", differs={"bsdtar": "libarchive 3.6 loses the sign of the fraction"})
    yield Case("record: mtime negative, finer than a nanosecond", pax([(b"mtime", b"-1.0000000001")]) + entry(b"f", b"x") + END, rule="times before 1970 are exact", differs={"bsdtar": "libarchive 3.6 loses the sign of the fraction"})
    yield Case("record: mtime no number", pax([(b"mtime", b"soon")]) + entry(b"f", b"x") + END, refused="not a time")
    yield Case("record: mtime empty", pax([(b"mtime", b"")]) + entry(b"f", b"x") + END, rule="an empty value cancels the key", differs={"bsdtar": "takes it for 0", "python": "takes it for 0"})
    yield Case("record: mtime with a dot only", pax([(b"mtime", b"12.")]) + entry(b"f", b"x") + END)
    yield Case("record: uname", pax([(b"uname", b"nobody")]) + entry(b"f", b"x", uid=5) + END)
    yield Case("Solaris' extended header", pax([(b"path", b"long")], b"X") + entry(b"f", b"x") + END)


def attributes():
    for name, key, rest in [
        ("plain", b"user.a", {}),
        ("GNU's % and =", b"user.a%25b%3Dc", {"warning": "decoded as GNU tar does", "differs": {"bsdtar": "decodes nothing there"}}),
        ("a bare %", b"user.100%", {}),
        ("%2f is not a code of GNU's", b"user.a%2fb%3d", {}),
    ]:
        yield Case(f"attribute: {name}", pax([(b"SCHILY.xattr." + key, b"v=1")]) + entry(b"f", b"x") + END, **rest)
    yield Case("attribute: LIBARCHIVE", pax([(b"LIBARCHIVE.xattr.user.a%3Db%25", b"dg")]) + entry(b"f", b"x") + END, rule="`LIBARCHIVE.xattr` comes first", differs={"gnu": "does not know it"})
    yield Case(
        "attribute: both of bsdtar's",
        pax([(b"LIBARCHIVE.xattr.user.a%3Db", b"dg"), (b"SCHILY.xattr.user.a=b", b"v")]) + entry(b"f", b"x") + END,
        rule="`LIBARCHIVE.xattr` comes first",
        differs={"gnu": "ends the name at the first =", "bsdtar": "has that one, too"},
    )
    yield Case("attribute: LIBARCHIVE, no base64", pax([(b"LIBARCHIVE.xattr.user.a", b"!!")]) + entry(b"f", b"x") + END, refused="not base64")
    yield Case("attribute: empty value", pax([(b"SCHILY.xattr.user.a", b"")]) + entry(b"f", b"x") + END)
    yield Case("attribute: NUL and line end in the value", pax([(b"SCHILY.xattr.user.a", b"\0\n\xff")]) + entry(b"f", b"x") + END)
    yield Case("attribute: twice", pax([(b"SCHILY.xattr.user.a", b"1"), (b"SCHILY.xattr.user.a", b"2")]) + entry(b"f", b"x") + END, rule="the last record of a key counts", differs={"bsdtar": "takes the first"})
    yield Case("attribute: no name", pax([(b"SCHILY.xattr.", b"1")]) + entry(b"f", b"x") + END, refused="whose name can't be")
    yield Case("attribute: NUL in the name", pax([(b"SCHILY.xattr.user.a\0b", b"1")]) + entry(b"f", b"x") + END, refused="whose name can't be")


def numbers():
    yield Case("base 256", entry(b"f", b"x", uid=base256(3000000, 8), gid=base256(5, 8), mtime=base256(1 << 34, 12), magic=GNU) + END)
    yield Case("base 256: negative time", entry(b"f", b"x", mtime=base256(-7, 12), magic=GNU) + END)
    yield Case("base 256: negative uid", entry(b"f", b"x", uid=base256(-2, 8), magic=GNU) + END, refused="not a number that Linux has")
    yield Case("base 256: huge uid", entry(b"f", b"x", uid=base256(1 << 40, 8), magic=GNU) + END, refused="not a number that Linux has")
    yield Case("base 256: size", entry(b"f", b"xyz", size=base256(3, 12), magic=GNU) + END)
    yield Case("base 256: negative size", entry(b"f", b"", size=base256(-3, 12), magic=GNU) + END, refused="negative")
    yield Case("octal: blanks before and behind", entry(b"f", b"x", mode=b"   644 \0", uid=b"     7 \0", gid=b"10 \0", mtime=b"       1750 \0") + END)
    yield Case("octal: no NUL", entry(b"f", b"x", mode=b"00000644", uid=b"00000007", mtime=b"000000001750") + END)
    yield Case("octal: NULs before", entry(b"f", b"x", uid=b"\0" + b"     7\0") + END, rule="a number may begin with a NUL", differs={"bsdtar": "takes it for 0", "python": "takes it for 0"})
    yield Case("octal: mode with the type", entry(b"f", b"x", mode=0o100755) + END)
    yield Case("octal: an 8", entry(b"a") + entry(b"f", b"x", mode=b"0000648\0") + END, refused="is not a number")
    yield Case("octal: garbage behind the number", entry(b"a") + entry(b"f", b"x", uid=b"7 junk\0\0") + END, rule="ends at a blank or a NUL", differs={"python": "ends the archive there"})
    yield Case("octal: negative uid", entry(b"a") + entry(b"f", b"x", uid=b"    -2 \0") + END, refused="not a number that Linux has")
    yield Case("octal: a size with a NUL before", entry(b"a") + header(b"f", size=b"\0" + b"0000000003\0") + entry(b"g") + END, refused="begins with a NUL")
    yield Case("octal: a size with garbage before", entry(b"a") + header(b"f", size=b"0000000000x3") + entry(b"g") + END, refused="is not a number")
    yield Case("octal: a size with garbage behind", entry(b"a") + header(b"f", size=b"00000000003x") + archives.padded(b"abc") + entry(b"g") + END, refused="is not a number")
    yield Case("octal: a long name's size with a NUL before", entry(b"a") + header(b"././@LongLink", size=b"\0" + b"0000000005\0", type=b"L", magic=GNU) + entry(b"f") + entry(b"g") + END, refused="begins with a NUL")
    yield Case("blank: uid", entry(b"f", b"x", uid=b" " * 8) + END, warning="is blank")
    yield Case("blank: uid of NULs", entry(b"f", b"x", uid=b"\0" * 8, gid=b"\0" * 8) + END)
    yield Case("blank: mode", entry(b"f", b"x", mode=b" " * 8) + END, warning="is blank", differs={"gnu": "takes all bits"})
    yield Case("blank: time", entry(b"f", b"x", mtime=b" " * 12) + END, warning="is blank", differs={"gnu": "takes -1"})
    yield Case("blank: size", entry(b"f", b"", size=b" " * 12) + END, rule="Blanks are 0", differs={"gnu": "fails"})
    yield Case("blank: devices", entry(b"c", type=b"3", major=b"\0" * 8, minor=b" " * 8) + END, warning="is blank", differs={"gnu": "takes all bits"})
    yield Case("devices", entry(b"c", type=b"3", major=4095, minor=0o7777777 >> 1) + entry(b"b", type=b"4", major=259, minor=65536) + END)
    yield Case("devices: too large", entry(b"c", type=b"3", major=4096, minor=0) + END, refused="device number")
    yield Case("checksum: signed", entry(b"\xe9\xe9", b"x", signed=True) + entry(b"f") + END)
    yield Case("checksum: blanks", entry(b"f", b"x", checksum=None) + END)
    yield Case("checksum: wrong in the second entry", entry(b"a", b"x") + entry(b"f", b"x", checksum=b"000001\0 ") + END, refused="its checksum is wrong")


def types():
    for flag in b"\0" b"0" b"7":
        yield Case(f"type {flag:#x}", entry(b"f", b"x", type=bytes([flag]), magic=V7 if flag == 0 else archives.USTAR) + END)
    for flag in b"BCFGHIJOPQRTUWYZ89az":
        yield Case(f"type {chr(flag)}", entry(b"f", b"x", type=bytes([flag])) + entry(b"g") + END, warning="is unknown")
    yield Case("type A, Solaris' ACL", entry(b"f", b"0", type=b"A") + entry(b"g") + END, warning="Solaris ACL", differs={"gnu": "makes a file of it", "python": "makes a file of it"})
    yield Case("type E, Solaris' attributes", entry(b"f", b"0", type=b"E") + entry(b"g") + END, refused="Solaris")
    yield Case("type D, a dumpdir", entry(b"d/", b"Yf\0\0", type=b"D", mode=0o755, magic=GNU) + entry(b"d/f") + END, warning="incremental", differs={"python": "makes a file of it"})
    yield Case("type M, another volume's file", entry(b"f", b"x", type=b"M", magic=GNU) + entry(b"g") + END, refused="another volume")
    yield Case("type M later", entry(b"g") + entry(b"f", b"x", type=b"M", magic=GNU) + END, refused="another volume")
    yield Case("type N, old long names", entry(b"f", b"x", type=b"N", magic=GNU) + entry(b"g") + END, refused="before 1990")
    yield Case("type V, a label", entry(b"label", type=b"V", magic=GNU) + entry(b"g") + END, rule="a label is left out", differs={"python": "makes a file of it"})
    yield Case("pax before a label", pax([(b"path", b"p")]) + entry(b"label", type=b"V", magic=GNU) + entry(b"g") + END, refused="before an archive's label")
    yield Case("K before a file", long(b"K", b"k") + entry(b"g", b"x", magic=GNU) + END)


def links():
    f = entry(b"f", b"content")
    yield Case("hard link", f + entry(b"h", type=b"1", link=b"f") + END)
    yield Case("hard link to ./f", f + entry(b"h", type=b"1", link=b"./f") + END)
    yield Case("hard link to what comes later", entry(b"h", type=b"1", link=b"f") + f + END, refused="not in the archive before it")
    yield Case("hard link to nothing", entry(b"h", type=b"1", link=b"f") + END, refused="not in the archive before it")
    yield Case("hard link to a symbolic link", entry(b"l", type=b"2", link=b"t") + entry(b"h", type=b"1", link=b"l") + END)
    yield Case("hard link to itself", f + entry(b"f", type=b"1", link=b"f") + END)
    yield Case("hard link to a device", entry(b"c", type=b"3", major=1, minor=3) + entry(b"h", type=b"1", link=b"c") + END)
    yield Case("hard link with another mode", f + entry(b"h", type=b"1", link=b"f", mode=0o600, uid=9, mtime=5) + END, rule="A hard link has the owner, mode and time of its file", differs={"python": "gives the file those of its last link"})
    yield Case("hard link with a size and no content, ustar", f + header(b"h", 7, type=b"1", link=b"f") + entry(b"g", b"y") + END)
    yield Case("hard link with a size and no content, GNU", f + header(b"h", 7, type=b"1", link=b"f", magic=GNU) + entry(b"g", b"y") + END)
    yield Case("hard link with content, ustar", f + entry(b"h", b"changed", type=b"1", link=b"f") + entry(b"g", b"y") + END, refused="not a header")
    yield Case("hard link with content, pax", f + pax([(b"size", b"7")]) + entry(b"h", b"content", type=b"1", link=b"f") + entry(b"g", b"y") + END, warning="content of its own", differs={"python": "looks for a header there"})
    yield Case("hard link with a linkpath", f + pax([(b"linkpath", b"f")]) + entry(b"h", type=b"1", link=b"x") + END)
    yield Case("symbolic link with a size", header(b"l", 5, type=b"2", link=b"other") + entry(b"g", b"y") + END)
    yield Case("symbolic link without a target", entry(b"l", type=b"2") + END, refused="it points nowhere")
    yield Case("symbolic link of 100 bytes", entry(b"l", type=b"2", link=b"t" * 100) + END)
    yield Case("directory with a size", header(b"d", 512, type=b"5", mode=0o755) + entry(b"g", b"y") + END)
    yield Case("device with a size", header(b"c", 5, type=b"3", major=1, minor=3) + entry(b"g", b"y") + END)


def sparse():
    data = b"A" * 512 + b"B" * 512
    places = archives.octal(0, 12) + archives.octal(512, 12) + archives.octal(2048, 12) + archives.octal(512, 12)

    def old(more=0, real=4096, places=places, extra=b""):
        block = bytearray(header(b"s", len(data), type=b"S", magic=GNU))
        block[386 : 386 + len(places)] = places
        block[482] = more
        block[483:495] = archives.octal(real, 12)
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        return bytes(block) + extra + data

    yield Case("sparse: old GNU", old() + entry(b"g") + END, rule="A sparse file is as large as its header says", differs={"gnu": "ends it with the last piece"})
    yield Case("sparse: old GNU, smaller than its data", old(real=1024) + entry(b"g") + END, refused="beyond its size")
    pairs = [(b"GNU.sparse.size", b"4096"), (b"GNU.sparse.numblocks", b"2")]
    each = [(b"GNU.sparse.offset", b"0"), (b"GNU.sparse.numbytes", b"512"), (b"GNU.sparse.offset", b"2048"), (b"GNU.sparse.numbytes", b"512")]
    yield Case("sparse: pax 0.0", pax(pairs + each) + entry(b"s", data) + entry(b"g") + END, rule="A sparse file is as large as its header says", differs={"gnu": "ends it with the last piece"})
    line = [(b"GNU.sparse.map", b"0,512,2048,512"), (b"GNU.sparse.name", b"real")]
    yield Case("sparse: pax 0.1", pax(pairs + line) + entry(b"GNUSparseFile.1/s", data) + entry(b"g") + END, rule="A sparse file is as large as its header says", differs={"gnu": "ends it with the last piece"})
    one = [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"real"), (b"GNU.sparse.realsize", b"4096")]
    text = archives.padded(b"2\n0\n512\n2048\n512\n")
    yield Case("sparse: pax 1.0", pax(one) + entry(b"GNUSparseFile.1/s", text + data) + entry(b"g") + END, rule="A sparse file is as large as its header says", differs={"gnu": "ends it with the last piece"})
    yield Case("sparse: pax 1.0 with a path as well", pax(one + [(b"path", b"other")]) + entry(b"s", text + data) + entry(b"g") + END, rule="A sparse file is as large as its header says", differs={"gnu": "ends it with the last piece", "python": "takes the path"})
    yield Case("sparse: star's realsize", pax([(b"SCHILY.realsize", b"3")]) + entry(b"f", b"abc") + entry(b"g") + END)


def ends():
    a, b = entry(b"a", b"x"), entry(b"b", b"y")
    yield Case("end: none", a + b, refused="without the mark for its end")
    yield Case("end: one zero block", a + b"\0" * 512)
    yield Case("end: a lone zero block, and more", a + b"\0" * 512 + b + END, warning="another tar archive")
    yield Case("end: another archive behind", a + END + b + END, warning="another tar archive")
    yield Case("end: garbage behind", a + END + b"garbage\n", warning="text that begins with")
    yield Case("end: zeros behind", a + END + b"\0" * 20000)
    yield Case("end: nothing but the mark", END)
    yield Case("end: cut in a header", a + b[:100], refused="cut short")
    yield Case("end: cut in content", a + header(b"b", 1000) + b"y" * 300, refused="cut short")
    yield Case("end: cut in an extended header", a + pax([(b"path", b"n" * 600)])[:700], refused="cut short")
    yield Case("end: an extended header for nothing", a + pax([(b"path", b"n")]) + END, refused="not a header")


def cpio():
    end = newc(archives.TRAILER)

    def case(name, archive, **rest):
        return Case("cpio: " + name, archive, CPIO, **rest)

    yield case("files", newc(b"d", mode=0o40755, ino=1, links=2) + newc(b"d/f", b"x", ino=2, mode=0o104755, uid=7) + newc(b"l", b"t", mode=0o120777, ino=3) + newc(b"c", mode=0o20600, ino=4, rdev=(1, 3)) + end)
    yield case("hard links, content last", newc(b"a", ino=5, links=2) + newc(b"b", b"data", ino=5, links=2) + end)
    yield case("hard links, content first", newc(b"a", b"data", ino=5, links=2) + newc(b"b", ino=5, links=2) + end)
    yield case("hard links, one of them missing", newc(b"a", b"data", ino=5, links=3) + newc(b"b", ino=5, links=3) + end)
    yield case("hard links with different modes", newc(b"a", b"data", ino=5, links=2, mode=0o100600) + newc(b"b", ino=5, links=2) + end)
    yield case("one inode, two devices", newc(b"a", b"1", ino=5, links=2, dev=(0, 1)) + newc(b"b", b"2", ino=5, links=2, dev=(0, 2)) + end)
    yield case("one inode with a link count of 1", newc(b"a", b"1", ino=5) + newc(b"b", b"2", ino=5) + end)
    yield case("a link count of 0", newc(b"a", b"1", ino=5, links=0) + end)
    yield case("checksum", newc(b"a", b"12", magic=b"070702", check=ord("1") + ord("2"), ino=1) + newc(archives.TRAILER, magic=b"070702"))
    yield case("wrong checksum", newc(b"a", b"12", magic=b"070702", check=1, ino=1) + newc(archives.TRAILER, magic=b"070702"), refused="checksum of a is wrong")
    yield case("no trailer", newc(b"a", b"1", ino=1), refused="cut short")
    yield case("a trailer with data", newc(b"a", b"1", ino=1) + newc(archives.TRAILER, b"data"), refused="something behind")
    yield case("a name that begins as the trailer's", newc(b"TRAILER!!!x", b"1", ino=1) + end)
    yield case("a NUL within a name", newc(b"a\0b", b"1", ino=1) + end)
    yield case("no name", newc(b"", b"1", ino=1) + end, refused="without a name")
    yield case("a type that isn't one", newc(b"a", b"1", ino=1, mode=0o644) + end, refused="no such type")
    yield case("a link without a target", newc(b"l", b"", ino=1, mode=0o120777) + end, refused="points nowhere")
    yield case("a time after 2038", newc(b"a", b"1", ino=1, mtime=0xF0000000) + end)
    yield case("odc", odc(b"a", b"1") + odc(archives.TRAILER))
    yield case("odc with a size that is not a number", odc(b"a", b"1", raw={65: b"0000000008x"}) + odc(archives.TRAILER), refused="should be a header of a cpio archive")
    yield case("odc with the largest uid", odc(b"a", b"1", uid=0o777777) + odc(archives.TRAILER))
    yield case("binary", binary(b"a", b"1") + binary(archives.TRAILER, ino=0))
    yield case("binary, big-endian", binary(b"a", b"1", order="big") + binary(archives.TRAILER, ino=0, order="big"))
    yield case("garbage behind the trailer", newc(b"a", b"1", ino=1) + end + b"garbage", refused="something behind")
    yield case("content of a directory", newc(b"d", b"data", ino=1, mode=0o40755) + end)


def cases(work, run):
    for format in ("USTAR", "GNU", "PAX"):
        yield Case(f"Python's {format}", archives.python(many, getattr(tarfile, format + "_FORMAT")))
    yield from tools(work, run)
    yield from images(work, run)
    yield from access(work, run)
    for group in (names, globals_, records, attributes, lists, star, numbers, types, links, sparse, ends, cpio):
        yield from group()
