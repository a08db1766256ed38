"""A kernel as a distribution ships it, taken out of a root file system for scripts/boot/rpi: standard library only.

    stock_kernel.py SOURCE FAMILY OUT [KERNEL]

SOURCE is a directory that boards mount, or the image of an SD card: its FAT partition stands for /boot/firmware, its ext
partition for the rest (mtools, debugfs). FAMILY is 2710, 2711 or 2712. KERNEL is a kernel to take instead of the source's.
Makes in OUT, as far as the source has it:

    kernel config         the kernel, and its configuration
    dtbs overlays         its device trees and their overlays
    modules               /lib/modules/VERSION
    boot raspi-firmware rpiboot    Raspberry Pi's firmware
    source.json           kind, path, version, kernels (each that the source has), files (path, bytes, sha256, copy)

Prints a line: the kernel's version, and its path in the source. The source may be hostile: only regular files are read, no symbolic link leads out of it, and
only names that this program has checked are written.

Exit codes: 0 done, 1 anything else, 2 not a source, 6 there is no kernel.
"""
import ctypes
import errno
import hashlib
import json
import os
import re
import signal
import stat
import struct
import subprocess
import sys
import zlib

import kernel_image

SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+~,@-]*\Z")
LARGEST = 1 << 30  # of a file, and of all modules: far more than any kernel has
FIRMWARE = "boot/firmware"
# What mkinitramfs takes modules from: the boot directory is out of date when one of these changes.
USED_MODULES = re.compile(r"modules\.dep$|kernel/(fs/9p|net/9p|drivers/usb/(common|core|dwc2|gadget|phy|roles))/")


class Failure(Exception):
    def __init__(self, message, code=1):
        super().__init__(message)
        self.code = code


class Tree:
    """A directory that boards mount. Its symbolic links are followed as a board does: its root is theirs."""
    kind = "tree"

    class How(ctypes.Structure):
        _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]

    def __init__(self, path, _work):
        self.root = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.libc = ctypes.CDLL(None, use_errno=True)

    def open(self, path, flags):
        # openat2, RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS: the board may be changing the tree at this moment.
        how = self.How(flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0, 0x12)
        while True:
            file = self.libc.syscall(437, self.root, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
            if file >= 0:
                return file
            code = ctypes.get_errno()
            if code in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
                return None
            if code not in (errno.EAGAIN, errno.EINTR):
                raise Failure(f"can't open '{path}' in it: {os.strerror(code)}")

    def names(self, path):
        """What a directory has: "file", "directory" or "link", by name."""
        directory = self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        if directory is None:
            return {}
        try:
            with os.scandir(directory) as entries:
                return {entry.name: "link" if entry.is_symlink() else "directory" if entry.is_dir() else "file"
                        for entry in entries if SAFE.match(entry.name)}
        finally:
            os.close(directory)

    def copy(self, directory, names, to):
        copied = []
        for name in names:
            file = self.open(f"{directory}/{name}", os.O_RDONLY)
            if file is None:
                continue
            with os.fdopen(file, "rb") as source:
                status = os.fstat(source.fileno())
                if not stat.S_ISREG(status.st_mode):
                    continue
                if status.st_size > LARGEST:
                    raise Failure(f"'{directory}/{name}' in it has {status.st_size} bytes: that is no part of a kernel")
                with open(os.path.join(to, name), "xb") as target:
                    while part := source.read(1 << 20):
                        target.write(part)
            copied.append(name)
        return copied

    def copy_all(self, directory, to):
        os.makedirs(to)
        names = self.names(directory)
        self.copy(directory, [name for name, kind in names.items() if kind == "file"], to)
        for name, kind in names.items():
            if kind == "directory":
                self.copy_all(f"{directory}/{name}", os.path.join(to, name))


class Image:
    """The image of an SD card, with the paths that a board sees."""
    kind = "image"

    def __init__(self, path, work):
        # A name without characters that mtools and debugfs have a use for.
        self.image = os.path.join(work, "sd-card")
        os.symlink(os.path.realpath(path), self.image)
        fat, ext = partitions(path)
        if not fat:
            raise Failure(f"'{path}' has no FAT partition, from which a Raspberry Pi boots: name the image of a whole SD card,"
                          " or a directory that boards mount", 2)
        self.fat = f"{self.image}@@{fat[0]}"
        self.ext = None
        for start in ext:
            self.ext = f"{self.image}?offset={start}"
            if any(self.ext_list(["/lib/modules"])):
                break

    # The FAT partition, by mtools.

    def fat_names(self, path):
        listed = subprocess.run(["mdir", "-b", "-i", self.fat, f"::/{path}"], capture_output=True, env=TOOLS)
        if listed.returncode != 0 and path == "":
            raise Failure(f"the FAT partition: {first_line(listed.stderr)}")
        names = {}
        for line in listed.stdout.decode(errors="replace").splitlines():
            name = line.removeprefix("::/").removeprefix(path).lstrip("/")
            if SAFE.match(name.rstrip("/")):
                names[name.rstrip("/")] = "directory" if name.endswith("/") else "file"
        return names

    def fat_copy(self, path, names, to):
        names = [name for name in names if self.fat_names(path).get(name) == "file"]
        if names:
            command = ["mcopy", "-n", "-i", self.fat, *(f"::/{path}/{name}" for name in names), to + "/"]
            done = subprocess.run(command, capture_output=True, env=TOOLS)
            if done.returncode != 0:
                raise Failure(f"the FAT partition: {first_line(done.stderr)}")
        return names

    # The ext4 partition, by debugfs: it reads, and follows symbolic links within the partition.

    def debugfs(self, commands, directory="."):
        """What each command prints."""
        if self.ext is None:
            return []
        done = subprocess.run(["debugfs", "-c", "-f", "-", self.ext], input="".join(command + "\n" for command in commands).encode(),
                              capture_output=True, cwd=directory)
        return re.split(r"^debugfs: .*\n", done.stdout.decode(errors="replace"), flags=re.MULTILINE)[1:]

    def ext_list(self, where):
        """For each directory: its regular files and directories by name, with inode and size."""
        lists = []
        for text in self.debugfs([f"ls -p {place}" for place in where]):
            entries = {}
            for line in text.splitlines():
                parts = line.split("/")  # /INODE/MODE/UID/GID/NAME/SIZE/
                if len(parts) == 8 and SAFE.match(parts[5]) and parts[1].isdigit():
                    kind = stat.S_IFMT(int(parts[2], 8))
                    if kind in (stat.S_IFREG, stat.S_IFDIR):
                        entries[parts[5]] = (int(parts[1]), kind == stat.S_IFDIR, int(parts[6] or 0))
            lists.append(entries)
        return lists

    def ext_dump(self, files, to):
        """files: path beneath `to`, inode, size."""
        if sum(size for _, _, size in files) > LARGEST:
            raise Failure("its files are larger than those of any kernel")
        self.debugfs([f'dump <{inode}> "{path}"' for path, inode, _ in files], to)
        for path, _, size in files:
            try:
                have = os.stat(os.path.join(to, path)).st_size
            except OSError:
                have = 0
            if have != size:
                raise Failure(f"can't read '{path}' in its ext4 partition: is the image damaged?")

    # Either.

    def on_fat(self, path):
        return path.removeprefix(FIRMWARE).lstrip("/") if path == FIRMWARE or path.startswith(FIRMWARE + "/") else None

    def names(self, path):
        if (beneath := self.on_fat(path)) is not None:
            return self.fat_names(beneath)
        lists = self.ext_list([f"/{path}"])
        return {name: "directory" if entry[1] else "file" for name, entry in lists[0].items()} if lists else {}

    def copy(self, directory, names, to):
        if (beneath := self.on_fat(directory)) is not None:
            return self.fat_copy(beneath, names, to)
        lists = self.ext_list([f"/{directory}"])
        there = lists[0] if lists else {}
        names = [name for name in names if name in there and not there[name][1]]
        self.ext_dump([(name, there[name][0], there[name][2]) for name in names], to)
        return names

    def copy_all(self, directory, to):
        os.makedirs(to)
        files, seen = [], set()
        level = [(f"/{directory}", "")]
        while level:
            lists = self.ext_list([place for place, _ in level])
            following = []
            for (_, path), entries in zip(level, lists):
                for name, (inode, is_directory, size) in entries.items():
                    if not is_directory:
                        files.append((path + name, inode, size))
                    elif inode not in seen:  # a damaged image may go in circles
                        seen.add(inode)
                        os.mkdir(os.path.join(to, path + name))
                        following.append((f"<{inode}>", path + name + "/"))
            level = following
        self.ext_dump(files, to)


TOOLS = {**os.environ, "MTOOLSRC": "/dev/null", "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"}


def first_line(text):
    return text.decode(errors="replace").strip().split("\n")[0]


def partitions(path):
    """Where the FAT and the ext partitions begin, in bytes."""
    table = subprocess.run(["sfdisk", "--json", path], capture_output=True)
    if table.returncode != 0:
        raise Failure(f"'{path}' is no directory, and it has no partition table: name the image of a whole SD card", 2)
    table = json.loads(table.stdout)["partitiontable"]
    fat, ext = [], []
    with open(path, "rb") as image:
        for partition in table.get("partitions", []):
            start = partition["start"] * int(table.get("sectorsize", 512))
            image.seek(start)
            head = image.read(2048)
            if head[510:512] == b"\x55\xaa" and (head[54:57] == b"FAT" or head[82:85] == b"FAT"):
                fat.append(start)
            elif head[1080:1082] == b"\x53\xef":
                ext.append(start)
    return fat, ext


def newest_first(names):
    return sorted(names, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)], reverse=True)


def kernels(source, family):
    """(directory, name) of each kernel, the best first; and the paths of those for other boards, too."""
    found, others = [], []
    for directory in (FIRMWARE, "boot"):
        names = [name for name, kind in source.names(directory).items() if kind == "file"]
        # Raspberry Pi's kernel for BCM2712 has pages of 16 KiB.
        fixed = [name for name in ("kernel_2712.img", "kernel8.img") if name in names]
        versions = newest_first(name for name in names if name.startswith("vmlinuz-"))
        ours = [name for name in fixed + versions if family == "2712" or not re.search(r"_2712|-2712\b", name)]
        # Raspberry Pi's for 32 bits; Debian's for virtual machines.
        ours = [name for name in ours if not re.search(r"-v[67]l?$|-cloud-", name)]
        # Raspberry Pi OS has one for BCM2712 and one for the rest.
        special = [name for name in ours if re.search(r"_2712|-2712\b", name)]
        ours = special + [name for name in ours if name not in special]
        found += [(directory, name) for name in ours]
        others += [f"{directory}/{name}" for name in names if name.startswith("vmlinuz-") or re.match(r"kernel.*\.img$", name)]
    return found, sorted(others)


def describe(file):
    with open(file, "rb") as content:
        try:
            return kernel_image.kind(content.read())
        except (struct.error, ValueError, zlib.error) as error:
            return f"unknown ({error})", "-"


class Collection:
    def __init__(self, source, out):
        self.source, self.out, self.files = source, out, []

    def take(self, directory, wanted, to):
        """Copies the files of a directory whose names match."""
        target = os.path.join(self.out, to)
        names = [name for name, kind in sorted(self.source.names(directory).items())
                 if kind != "directory" and re.match(wanted, name) and not os.path.exists(os.path.join(target, name))]
        if names:
            os.makedirs(target, exist_ok=True)
            for name in self.source.copy(directory, names, target):
                self.note(f"{directory}/{name}", f"{to}/{name}")

    def note(self, path, copy):
        with open(os.path.join(self.out, copy), "rb") as file:
            content = file.read()
        self.files.append({"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "copy": copy})

    def kernel(self, candidates):
        """The first kernel for arm64 whose modules are there, or else the first for arm64."""
        refused, chosen = [], None
        with_modules = set(self.source.names("lib/modules"))
        for directory, name in candidates:
            file = os.path.join(self.out, name)
            if not self.source.copy(directory, [name], self.out):
                continue
            kind, version = describe(file)
            if kind not in ("arm64", "arm64.gz") or not SAFE.match(version):
                refused.append(f"{directory}/{name} ({kind})")
                os.unlink(file)
                continue
            if chosen is None or version in with_modules:
                os.rename(file, os.path.join(self.out, "kernel"))
                chosen = (f"{directory}/{name}", version)
                if version in with_modules:
                    break
            else:
                os.unlink(file)
        if chosen is None:
            there = f"; there is: {', '.join(refused)}" if refused else ""
            raise Failure(f"it has no kernel for arm64: no {FIRMWARE}/kernel8.img, no boot/vmlinuz-VERSION{there}. Install one in it"
                          " (Debian: linux-image-arm64), or name one with --kernel", 6)
        self.note(chosen[0], "kernel")
        return chosen

    def parts(self, version):
        """What belongs to a kernel of this version, and the firmware."""
        self.take("boot", re.escape(f"config-{version}") + r"\Z", "boot")
        if os.path.exists(config := os.path.join(self.out, "boot", f"config-{version}")):
            os.rename(config, os.path.join(self.out, "config"))
            self.files.pop()
        trees, overlays = r"bcm2[78].*\.dtb\Z", r"[^/]*\.dtbo\Z|overlay_map\.dtb\Z"
        for place in (f"usr/lib/linux-image-{version}", f"boot/dtbs/{version}", f"boot/dtb-{version}"):
            self.take(f"{place}/broadcom", trees, "dtbs")
            self.take(f"{place}/overlays", overlays, "overlays")
        self.take(FIRMWARE, trees, "dtbs")
        self.take(f"{FIRMWARE}/overlays", overlays, "overlays")
        firmware = r"(start|fixup).*\.(elf|dat)\Z|bootcode[45]?\.bin\Z|bootfiles\.bin\Z"
        self.take(FIRMWARE, firmware, "boot")
        self.take("usr/lib/raspi-firmware", firmware, "raspi-firmware")
        for directory in ("mass-storage-gadget64", "firmware", "firmware/2711", "firmware/2712", "msd"):
            self.take(f"usr/share/rpiboot/{directory}", firmware, f"rpiboot/{directory}")
        if version in self.source.names("lib/modules"):
            modules = f"lib/modules/{version}"
            os.makedirs(os.path.join(self.out, "modules/lib/modules"))
            self.source.copy_all(modules, os.path.join(self.out, "modules", modules))
            top = os.path.join(self.out, "modules", modules)
            for directory, _, names in sorted(os.walk(top)):
                for name in sorted(names):
                    path = os.path.relpath(os.path.join(directory, name), top)
                    if USED_MODULES.match(path):
                        self.note(f"{modules}/{path}", f"modules/{modules}/{path}")


def collect(path, family, out, kernel):
    out = os.path.abspath(out)
    source = (Tree if os.path.isdir(path) else Image)(path, out)
    collection = Collection(source, out)
    candidates, there = kernels(source, family)
    if kernel:
        path_there, version = "-", describe(kernel)[1]
    else:
        path_there, version = collection.kernel(candidates)
    if SAFE.match(version):
        collection.parts(version)
    with open(os.path.join(out, "source.json"), "w") as file:
        json.dump({"kind": source.kind, "path": os.path.realpath(path), "version": version, "kernels": there,
                   "files": collection.files}, file)
    print(version, path_there)


def main(arguments):
    if len(arguments) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        collect(arguments[0], arguments[1], arguments[2], arguments[3] if len(arguments) == 4 else None)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return failure.code
    except OSError as error:
        print(f"{error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    sys.exit(main(sys.argv[1:]))
