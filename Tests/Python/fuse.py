"""A file system in user space that stops answering when it is told to: what a dead NFS server or a hung daemon looks like.

It speaks the kernel's protocol (linux/fuse.h, version 7.31) on /dev/fuse itself, and needs root for the mount alone.
"""

import ctypes
import errno
import os
import stat
import struct
import threading
import time

LOOKUP, FORGET, GETATTR, SETATTR, MKDIR, UNLINK, RMDIR, RENAME = 1, 2, 3, 4, 9, 10, 11, 12
OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, SETXATTR, GETXATTR, LISTXATTR = 14, 15, 16, 17, 18, 20, 21, 22, 23
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, CREATE, BATCH_FORGET, RENAME2 = 25, 26, 27, 28, 29, 35, 42, 45

libc = ctypes.CDLL(None, use_errno=True)


class Node:
    def __init__(self, number, mode):
        self.number = number
        self.mode = mode
        self.children = {}
        self.attributes = {}
        self.changed = time.time_ns()


class StallingFileSystem:
    """A directory tree in memory, mounted on `path`; files are empty and belong to `uid`.

    `stall(OPCODE)` lets the next request of that kind wait for ever, `stall()` all from now on; `stalled` counts those that wait.
    """

    def __init__(self, path, uid):
        self.path, self.uid = path, uid
        self.nodes = {1: Node(1, stat.S_IFDIR | 0o755)}
        self.only, self.all = set(), False
        self.stalled = 0
        self.is_closed = False
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
        if libc.mount(b"stalling", path.encode(), b"fuse.stalling", 0, options.encode()) != 0:
            number = ctypes.get_errno()
            os.close(self.device)
            raise OSError(number, os.strerror(number), path)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def stall(self, opcode=None):
        if opcode is None:
            self.all = True
        else:
            self.only.add(opcode)

    def close(self):
        """Ends it, once: whoever waits gets ECONNABORTED."""
        if self.is_closed:
            return
        self.is_closed = True
        libc.umount2(self.path.encode(), 2)  # MNT_DETACH
        try:
            os.close(self.device)
        except OSError:
            pass

    def serve(self):
        while True:
            try:
                request = os.read(self.device, 1 << 20)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                    continue
                return
            _, opcode, unique, number, _, _, _, _ = struct.unpack_from("<IIQQIIII", request)
            body = request[40:]
            if opcode in (FORGET, BATCH_FORGET):
                continue
            if self.all or opcode in self.only:
                self.only.discard(opcode)
                self.stalled += 1
                continue
            try:
                reply, code = self.answer(opcode, number, body), 0
            except OSError as error:
                reply, code = b"", -error.errno
            try:
                os.write(self.device, struct.pack("<IiQ", 16 + len(reply), code, unique) + reply)
            except OSError:
                pass  # the request was interrupted, or the mount is gone

    def attributes(self, node):
        seconds, nanoseconds = divmod(node.changed, 10**9)
        links = 2 if stat.S_ISDIR(node.mode) else 1
        times = struct.pack("<QQQIII", seconds, seconds, seconds, nanoseconds, nanoseconds, nanoseconds)
        return struct.pack("<QQQ", node.number, 0, 0) + times + struct.pack("<IIIIIII", node.mode, links, self.uid, self.uid, 0, 4096, 0)

    def entry(self, node):
        return struct.pack("<QQQQII", node.number, 0, 0, 0, 0, 0) + self.attributes(node)

    def child(self, parent, name):
        try:
            return self.nodes[self.nodes[parent].children[name]]
        except KeyError:
            raise OSError(errno.ENOENT, "") from None

    def make(self, parent, name, mode):
        if name in self.nodes[parent].children:
            raise OSError(errno.EEXIST, "")
        node = Node(max(self.nodes) + 1, mode)
        self.nodes[node.number] = node
        self.nodes[parent].children[name] = node.number
        return node

    def answer(self, opcode, number, body):
        node = self.nodes[number] if number else None
        if opcode == INIT:
            return struct.pack("<IIIIHHIIHHI", 7, 31, 0, 0, 64, 48, 1 << 16, 1, 0, 0, 0) + bytes(28)
        if opcode == LOOKUP:
            return self.entry(self.child(number, body[:-1]))
        if opcode in (GETATTR, SETATTR):
            if opcode == SETATTR:
                valid, *_, mode = struct.unpack_from("<IIQQQQQQIIII", body)
                if valid & 1:
                    node.mode = stat.S_IFMT(node.mode) | mode & 0o7777
                node.changed = time.time_ns()
            return struct.pack("<QII", 0, 0, 0) + self.attributes(node)
        if opcode == MKDIR:
            mode, umask = struct.unpack_from("<II", body)
            return self.entry(self.make(number, body[8:-1], stat.S_IFDIR | mode & 0o7777 & ~umask))
        if opcode == CREATE:
            _, mode, umask, _ = struct.unpack_from("<IIII", body)
            made = self.make(number, body[16:-1], stat.S_IFREG | mode & 0o7777 & ~umask)
            return self.entry(made) + struct.pack("<QII", 0, 0, 0)
        if opcode in (UNLINK, RMDIR):
            self.child(number, body[:-1])
            del node.children[body[:-1]]
            return b""
        if opcode in (RENAME, RENAME2):
            (target,) = struct.unpack_from("<Q", body)
            old, new = body[8 if opcode == RENAME else 16 : -1].split(b"\0")
            moved = self.child(number, old)
            del node.children[old]
            self.nodes[target].children[new] = moved.number
            return b""
        if opcode in (OPEN, OPENDIR):
            return struct.pack("<QII", 0, 0, 0)
        if opcode == READDIR:
            _, offset, size = struct.unpack_from("<QQI", body)
            reply = b""
            for index, (name, child) in enumerate(list(node.children.items())):
                record = struct.pack("<QQII", child, index + 1, len(name), self.nodes[child].mode >> 12) + name
                record += bytes(-len(record) % 8)
                if index >= offset and len(reply) + len(record) <= size:
                    reply += record
            return reply
        if opcode == STATFS:
            return struct.pack("<QQQQQIIII", 1000, 1000, 1000, 1000, 1000, 4096, 255, 4096, 0) + bytes(24)
        if opcode == SETXATTR:
            size, _ = struct.unpack_from("<II", body)
            name, value = body[8:].split(b"\0", 1)
            node.attributes[name] = value[:size]
            node.changed = time.time_ns()
            return b""
        if opcode == GETXATTR:
            size, _ = struct.unpack_from("<II", body)
            value = node.attributes.get(body[8:-1])
            if value is None:
                raise OSError(errno.ENODATA, "")
            return value if size else struct.pack("<II", len(value), 0)
        if opcode == LISTXATTR:
            size, _ = struct.unpack_from("<II", body)
            names = b"".join(name + b"\0" for name in node.attributes)
            return names if size else struct.pack("<II", len(names), 0)
        if opcode in (READ, FLUSH, RELEASE, RELEASEDIR, FSYNC):
            return b""
        raise OSError(errno.ENOSYS, "")
