"""9P2000.L for tests: the messages, a session over a socket, and a p9serve to talk to.

A function of a request's name gives its type and body, as `Client.call` and `frame` take them:

    client.call(*Twalk(0, 1, "etc", "passwd"))
"""

import collections
import errno
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import threading

NOFID = 0xFFFFFFFF
NOTAG = 0xFFFF
RLERROR = 7
# The Tsetattr and the Tgetattr mask.
MODE, UID, GID = 1, 2, 4
ALL = 0x3FFF
# A Tlopen's flags are Linux's, on every machine.
RDWR, DIRECTORY = 2, 0o200000

# By the type of the request, which is even; its reply's is one more. With those of 9P2000 that .L has no use for.
NAMES = {
    6: "lerror", 8: "statfs", 12: "lopen", 14: "lcreate", 16: "symlink", 18: "mknod", 20: "rename", 22: "readlink",
    24: "getattr", 26: "setattr", 30: "xattrwalk", 32: "xattrcreate", 40: "readdir", 50: "fsync", 52: "lock",
    54: "getlock", 70: "link", 72: "mkdir", 74: "renameat", 76: "unlinkat", 100: "version", 102: "auth", 104: "attach",
    106: "error", 108: "flush", 110: "walk", 112: "open", 114: "create", 116: "read", 118: "write", 120: "clunk",
    122: "remove", 124: "stat", 126: "wstat",
}


def name_of(kind):
    """A message's name by its type, such as "Twalk" or "Rlerror"."""
    return ("T" if kind % 2 == 0 else "R") + NAMES.get(kind & ~1, "unknown")


# Messages


def string(text):
    text = os.fsencode(text)
    return struct.pack("<H", len(text)) + text


def frame(kind, body=b"", tag=1):
    return struct.pack("<IBH", 7 + len(body), kind, tag) + body


def Tversion(msize, version="9P2000.L"):
    return 100, struct.pack("<I", msize) + string(version)


def Tattach(fid, aname="", uid=0, uname="root"):
    return 104, struct.pack("<II", fid, NOFID) + string(uname) + string(aname) + struct.pack("<I", uid)


def Twalk(fid, new, *names):
    return 110, struct.pack("<IIH", fid, new, len(names)) + b"".join(map(string, names))


def Tclunk(fid):
    return 120, struct.pack("<I", fid)


def Tlopen(fid, flags=0):
    return 12, struct.pack("<II", fid, flags)


def Tlcreate(fid, name, mode=0o644, gid=0, flags=RDWR):
    return 14, struct.pack("<I", fid) + string(name) + struct.pack("<III", flags, mode, gid)


def Tread(fid, offset, count):
    return 116, struct.pack("<IQI", fid, offset, count)


def Twrite(fid, offset, data):
    return 118, struct.pack("<IQI", fid, offset, len(data)) + data


def Treaddir(fid, offset, count):
    return 40, struct.pack("<IQI", fid, offset, count)


def Tgetattr(fid, mask=ALL):
    return 24, struct.pack("<IQ", fid, mask)


def Tsetattr(fid, mode=None, uid=None, gid=None):
    """Changes what is given, and nothing else."""
    valid = (MODE if mode is not None else 0) | (UID if uid is not None else 0) | (GID if gid is not None else 0)
    return 26, struct.pack("<IIIIIQQQQQ", fid, valid, mode or 0, uid or 0, gid or 0, 0, 0, 0, 0, 0)


def Txattrwalk(fid, new, name):
    return 30, struct.pack("<II", fid, new) + string(name)


def Txattrcreate(fid, name, size, flags=0):
    return 32, struct.pack("<I", fid) + string(name) + struct.pack("<QI", size, flags)


def Treadlink(fid):
    return 22, struct.pack("<I", fid)


def Tsymlink(fid, name, target, gid=0):
    return 16, struct.pack("<I", fid) + string(name) + string(target) + struct.pack("<I", gid)


def Tmknod(fid, name, mode, major=0, minor=0, gid=0):
    return 18, struct.pack("<I", fid) + string(name) + struct.pack("<IIII", mode, major, minor, gid)


def Tlink(directory, fid, name):
    return 70, struct.pack("<II", directory, fid) + string(name)


def Tmkdir(fid, name, mode=0o755, gid=0):
    return 72, struct.pack("<I", fid) + string(name) + struct.pack("<II", mode, gid)


def Trenameat(old, old_name, new, new_name):
    return 74, struct.pack("<I", old) + string(old_name) + struct.pack("<I", new) + string(new_name)


def Tunlinkat(fid, name, flags=0):
    return 76, struct.pack("<I", fid) + string(name) + struct.pack("<I", flags)


def Tlock(fid, start, length, kind=1, flags=0, process=1, client="client"):
    """kind: 0 read, 1 write, 2 unlock."""
    return 52, struct.pack("<IBIQQI", fid, kind, flags, start, length, process) + string(client)


# Sessions

Status = collections.namedtuple("Status", "inode mode uid gid links device size")


class Gone(Exception):
    """The other side has closed the connection."""


class Connection:
    """Frames over a socket, as they are."""

    def __init__(self, connection):
        self.connection = connection
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def close(self):
        self.connection.close()

    def send(self, data):
        try:
            self.connection.sendall(data)
        except OSError as error:
            raise Gone from error

    def receive(self):
        """The next frame."""
        while len(self.received) < 4 or len(self.received) < struct.unpack_from("<I", self.received)[0]:
            try:
                part = self.connection.recv(1 << 20)
            except (ConnectionError, BrokenPipeError) as error:
                raise Gone from error
            if not part:
                raise Gone
            self.received += part
        size = struct.unpack_from("<I", self.received)[0]
        message, self.received = self.received[:size], self.received[size:]
        return message


class Client(Connection):
    """One session, attached as fid 0. Every error of the server is an OSError with its errno."""

    def __init__(self, port, uid=0, timeout=60, aname="", msize=1 << 20):
        super().__init__(socket.create_connection(("127.0.0.1", port), timeout=timeout))
        self.next_fid = 1
        self.free_fids = []
        self.call(*Tversion(msize), tag=NOTAG)
        self.call(*Tattach(0, aname, uid))

    # Messages

    def reply(self):
        """The next reply: its tag, its type, its body."""
        message = self.receive()
        _, kind, tag = struct.unpack_from("<IBH", message)
        return tag, kind, message[7:]

    @staticmethod
    def result(kind, sent, body):
        if kind == RLERROR:
            number = struct.unpack("<I", body)[0]
            raise OSError(number, os.strerror(number))
        assert kind == sent + 1, f"{name_of(kind)} to a {name_of(sent)}"
        return body

    def call(self, kind, body, tag=1):
        self.send(frame(kind, body, tag))
        its_tag, reply, body = self.reply()
        assert its_tag == tag, f"a reply to tag {its_tag}, not {tag}"
        return self.result(reply, kind, body)

    # Fids

    def fid(self):
        if self.free_fids:
            return self.free_fids.pop()
        self.next_fid += 1
        return self.next_fid - 1

    def walk(self, path):
        """A new fid; symbolic links are not followed."""
        names = [name for name in os.fsencode(path).split(b"/") if name]
        fid = self.fid()
        if not names:
            self.call(*Twalk(0, fid))
            return fid
        start = 0
        while names:
            part, names = names[:16], names[16:]
            try:
                count = struct.unpack_from("<H", self.call(*Twalk(start, fid, *part)))[0]
            except OSError:
                (self.clunk if start else self.free_fids.append)(fid)
                raise
            if count != len(part):
                (self.clunk if start else self.free_fids.append)(fid)
                raise OSError(errno.ENOENT, f"{path}: {count} of {len(part)} names")
            start = fid
        return fid

    def clunk(self, fid):
        self.call(*Tclunk(fid))
        self.free_fids.append(fid)

    class Walked:
        def __init__(self, client, path):
            self.client = client
            self.fid = client.walk(path)

        def __enter__(self):
            return self.fid

        def __exit__(self, kind, *_):
            if kind is None or not issubclass(kind, Gone):
                self.client.clunk(self.fid)

    def walked(self, path):
        return self.Walked(self, path)

    # Operations on fids

    def getattr(self, fid):
        body = self.call(*Tgetattr(fid))
        _, _, _, inode, mode, uid, gid, links, device, size = struct.unpack_from("<QBIQIIIQQQ", body)
        return Status(inode, mode, uid, gid, links, device, size)

    def xattr(self, fid, name):
        """A value, or None if there is none."""
        new = self.fid()
        try:
            self.call(*Txattrwalk(fid, new, name))
        except OSError as error:
            self.free_fids.append(new)
            if error.errno == errno.ENODATA:
                return None
            raise
        value = self.read_all(new)
        self.clunk(new)
        return value

    def set_xattr(self, fid, name, value, flags=0):
        copy = self.fid()
        self.call(*Twalk(fid, copy))
        self.call(*Txattrcreate(copy, name, len(value), flags))
        if value:
            self.call(*Twrite(copy, 0, value))
        self.clunk(copy)

    def open(self, fid, flags=0):
        self.call(*Tlopen(fid, flags))

    def read_all(self, fid):
        data = b""
        while True:
            body = self.call(*Tread(fid, len(data), 1 << 19))
            count = struct.unpack_from("<I", body)[0]
            if count == 0:
                return data
            data += body[4 : 4 + count]

    # Operations on paths

    def status(self, path):
        with self.walked(path) as fid:
            return self.getattr(fid)

    def exists(self, path):
        try:
            self.status(path)
            return True
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            return False

    def read(self, path):
        with self.walked(path) as fid:
            self.open(fid)
            return self.read_all(fid)

    def readlink(self, path):
        with self.walked(path) as fid:
            body = self.call(*Treadlink(fid))
            return os.fsdecode(body[2:])

    def get_xattr(self, path, name):
        with self.walked(path) as fid:
            return self.xattr(fid, name)

    def change(self, path, mode=None, uid=None, gid=None):
        with self.walked(path) as fid:
            self.call(*Tsetattr(fid, mode, uid, gid))

    def names(self, path):
        """What a directory holds: a name to its d_type."""
        names = {}
        with self.walked(path) as fid:
            self.open(fid, DIRECTORY)
            offset = 0
            while True:
                body = self.call(*Treaddir(fid, offset, 1 << 19))
                count = struct.unpack_from("<I", body)[0]
                if count == 0:
                    return names
                position = 4
                while position < 4 + count:
                    offset, kind, length = struct.unpack_from("<QBH", body, position + 13)
                    position += 24
                    name = os.fsdecode(body[position : position + length])
                    position += length
                    if name not in (".", ".."):
                        names[name] = kind

    def mkdir(self, path, mode=0o755, gid=0):
        parent, name = os.path.split(path)
        with self.walked(parent) as fid:
            self.call(*Tmkdir(fid, name, mode, gid))

    def symlink(self, path, target, gid=0):
        parent, name = os.path.split(path)
        with self.walked(parent) as fid:
            self.call(*Tsymlink(fid, name, target, gid))

    def rename(self, old, new):
        (old_parent, old_name), (new_parent, new_name) = os.path.split(old), os.path.split(new)
        with self.walked(old_parent) as source, self.walked(new_parent) as target:
            self.call(*Trenameat(source, old_name, target, new_name))

    def create(self, path, mode=0o644, gid=0):
        """A new file; the fid is open for reading and writing."""
        parent, name = os.path.split(path)
        fid = self.walk(parent)
        self.call(*Tlcreate(fid, name, mode, gid))
        return fid

    def unlink(self, path, flags=0):
        parent, name = os.path.split(path)
        with self.walked(parent) as fid:
            self.call(*Tunlinkat(fid, name, flags))


class Server:
    """A p9serve on a TCP port of its own, or at the address that is asked for.

    `options` are for `p9serve serve`, and what has a name is for Popen. `said` has its messages, line by line.
    """

    def __init__(self, program, directory, *options, listen="tcp://127.0.0.1:0", **popen):
        self.process = subprocess.Popen(
            [program, "serve", directory, "--listen", listen, *options],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            **popen,
        )
        self.said = []
        self.address = None
        for line in self.process.stderr:
            found = re.fullmatch(r"listening on (.*)\n", line)
            if found:
                self.address = found[1]
                break
            self.said.append(line.rstrip("\n"))
        if self.address is None:
            self.process.wait()
            raise SystemExit(f"p9serve serve {directory} does not listen: {self.said}")
        # Nobody may be held up by a full pipe.
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    def resident(self):
        """Memory in KiB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)

    def stop(self, number=signal.SIGTERM):
        """Ends it as `kill` or Ctrl-C would; returns the exit code."""
        self.process.send_signal(number)
        try:
            code = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._finish()
        return code

    def reap(self):
        self.process.wait()
        self._finish()

    def _finish(self):
        self.reader.join(60)
        self.process.stderr.close()


# What one sees


def kind_of(status):
    """The type as one reads it: "file", "char 1:3"."""
    kinds = {
        stat.S_IFREG: "file",
        stat.S_IFDIR: "directory",
        stat.S_IFLNK: "symlink",
        stat.S_IFIFO: "pipe",
        stat.S_IFSOCK: "socket",
        stat.S_IFBLK: "block",
        stat.S_IFCHR: "char",
    }
    kind = kinds.get(stat.S_IFMT(status.mode), "unknown")
    if kind in ("block", "char"):
        device = status.device
        kind += f" {(device >> 8) & 0xFFF}:{device & 0xFF | device >> 12 & 0xFFF00}"
    return kind


def seen(status):
    """Owner, mode and type in one line: "0:42 640 file"."""
    return f"{status.uid}:{status.gid} {status.mode & 0o7777:o} {kind_of(status)}"
