"""A small 9P2000.L client, and a p9serve to talk to: what host-edits.py, kills.py and import-speed.py share."""

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
# The Tsetattr mask.
MODE, UID, GID = 1, 2, 4

Status = collections.namedtuple("Status", "inode mode uid gid links device size")


class Gone(Exception):
    """The server has closed the connection."""


def string(text):
    text = os.fsencode(text)
    return struct.pack("<H", len(text)) + text


def device_number(major, minor):
    """As in Rgetattr: new_encode_dev."""
    return (minor & 0xFF) | major << 8 | (minor & ~0xFF) << 12


class Server:
    """A p9serve on a TCP port of its own."""

    def __init__(self, program, directory, *options):
        self.process = subprocess.Popen(
            [program, "serve", directory, "--listen", "tcp://127.0.0.1:0", *options],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = []
        self.port = None
        for line in self.process.stderr:
            found = re.fullmatch(r"listening on tcp://127\.0\.0\.1:(\d+)\n", line)
            if found:
                self.port = int(found[1])
                break
            self.said.append(line.rstrip("\n"))
        if self.port is None:
            self.process.wait()
            raise SystemExit(f"p9serve serve {directory} does not listen: {self.said}")
        # Nobody may be held up by a full pipe.
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)

    def stop(self):
        """Ends it as Ctrl-C would; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.reader.join(60)
        self.process.stderr.close()
        return code

    def reap(self):
        self.process.wait()
        self.reader.join(60)
        self.process.stderr.close()


class Client:
    """One session. Every error of the server is an OSError with its errno."""

    def __init__(self, port, uid=0, timeout=60, aname=""):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.next_fid = 1
        self.free_fids = []
        self.call(100, struct.pack("<I", 1 << 20) + string("9P2000.L"), tag=NOTAG)
        self.call(104, struct.pack("<II", 0, NOFID) + string("root") + string(aname) + struct.pack("<I", uid))

    def close(self):
        self.connection.close()

    # Messages

    def send(self, data):
        try:
            self.connection.sendall(data)
        except OSError as error:
            raise Gone from error

    def receive(self):
        """The next reply: its tag, its type, its body."""
        while len(self.received) < 4 or len(self.received) < struct.unpack_from("<I", self.received)[0]:
            try:
                part = self.connection.recv(1 << 20)
            except (ConnectionError, BrokenPipeError) as error:
                raise Gone from error
            if not part:
                raise Gone
            self.received += part
        size, kind, tag = struct.unpack_from("<IBH", self.received)
        body, self.received = self.received[7:size], self.received[size:]
        return tag, kind, body

    @staticmethod
    def frame(kind, body, tag):
        return struct.pack("<IBH", 7 + len(body), kind, tag) + body

    @staticmethod
    def result(kind, sent, body):
        if kind == RLERROR:
            number = struct.unpack("<I", body)[0]
            raise OSError(number, os.strerror(number))
        assert kind == sent + 1, f"a reply of type {kind} to a message of type {sent}"
        return body

    def call(self, kind, body, tag=1):
        self.send(self.frame(kind, body, tag))
        _, reply, body = self.receive()
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
            self.call(110, struct.pack("<IIH", 0, fid, 0))
            return fid
        start = 0
        while names:
            part, names = names[:16], names[16:]
            request = struct.pack("<IIH", start, fid, len(part)) + b"".join(map(string, part))
            try:
                count = struct.unpack_from("<H", self.call(110, request))[0]
            except OSError:
                (self.clunk if start else self.free_fids.append)(fid)
                raise
            if count != len(part):
                (self.clunk if start else self.free_fids.append)(fid)
                raise OSError(errno.ENOENT, f"{path}: {count} of {len(part)} names")
            start = fid
        return fid

    def clunk(self, fid):
        self.call(120, struct.pack("<I", fid))
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
        body = self.call(24, struct.pack("<IQ", fid, 0x3FFF))
        _, _, _, inode, mode, uid, gid, links, device, size = struct.unpack_from("<QBIQIIIQQQ", body)
        return Status(inode, mode, uid, gid, links, device, size)

    @staticmethod
    def setattr_body(fid, mode=None, uid=None, gid=None):
        valid = (MODE if mode is not None else 0) | (UID if uid is not None else 0) | (GID if gid is not None else 0)
        return struct.pack("<IIIIIQQQQQ", fid, valid, mode or 0, uid or 0, gid or 0, 0, 0, 0, 0, 0)

    def xattr(self, fid, name):
        """A value, or None if there is none."""
        new = self.fid()
        try:
            self.call(30, struct.pack("<II", fid, new) + string(name))
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
        self.call(110, struct.pack("<IIH", fid, copy, 0))
        self.call(32, struct.pack("<I", copy) + string(name) + struct.pack("<QI", len(value), flags))
        if value:
            self.call(118, struct.pack("<IQI", copy, 0, len(value)) + value)
        self.clunk(copy)

    def open(self, fid, flags=0):
        self.call(12, struct.pack("<II", fid, flags))

    def read_all(self, fid):
        data = b""
        while True:
            body = self.call(116, struct.pack("<IQI", fid, len(data), 1 << 19))
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
            body = self.call(22, struct.pack("<I", fid))
            return os.fsdecode(body[2:])

    def get_xattr(self, path, name):
        with self.walked(path) as fid:
            return self.xattr(fid, name)

    def change(self, path, mode=None, uid=None, gid=None):
        with self.walked(path) as fid:
            self.call(26, self.setattr_body(fid, mode, uid, gid))

    def names(self, path):
        """What a directory holds: a name to its d_type."""
        names = {}
        with self.walked(path) as fid:
            self.open(fid, 0o200000)
            offset = 0
            while True:
                body = self.call(40, struct.pack("<IQI", fid, offset, 1 << 19))
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
            self.call(72, struct.pack("<I", fid) + string(name) + struct.pack("<II", mode, gid))

    def symlink(self, path, target, gid=0):
        parent, name = os.path.split(path)
        with self.walked(parent) as fid:
            self.call(16, struct.pack("<I", fid) + string(name) + string(target) + struct.pack("<I", gid))

    def rename(self, old, new):
        (old_parent, old_name), (new_parent, new_name) = os.path.split(old), os.path.split(new)
        with self.walked(old_parent) as source, self.walked(new_parent) as target:
            self.call(74, struct.pack("<I", source) + string(old_name) + struct.pack("<I", target) + string(new_name))

    def create(self, path, mode=0o644, gid=0):
        """A new file; the fid is open for reading and writing."""
        parent, name = os.path.split(path)
        fid = self.walk(parent)
        self.call(14, struct.pack("<I", fid) + string(name) + struct.pack("<III", 2, mode, gid))
        return fid

    def unlink(self, path, flags=0):
        parent, name = os.path.split(path)
        with self.walked(parent) as fid:
            self.call(76, struct.pack("<I", fid) + string(name) + struct.pack("<I", flags))


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
