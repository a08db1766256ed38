"""The parts of capture.sh: a recording proxy, the operations on the board, and the choice of frames to keep."""

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import p9

TREAD = 116


def wait_until(condition):
    while not condition():
        time.sleep(0.05)


def waits_in_kernel(pid):
    """How many times a process has begun to wait, if it does so for a reply; else None."""
    status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status").read().splitlines())
    return int(status["voluntary_ctxt_switches"]) if status["State"].split()[0] == "D" else None


def proxy(listen_port, server_port, directory):
    """Passes frames on and appends each to frames.jsonl. Files in the directory steer it: `operation` names what the
    board does just now, `slow` holds back the replies to Tread, and then there is `held`."""
    listener = socket.create_server(("127.0.0.1", int(listen_port)))
    log = open(os.path.join(directory, "frames.jsonl"), "w", buffering=1)
    lock = threading.Lock()

    def record(frame):
        try:
            operation = open(os.path.join(directory, "operation")).read()
        except FileNotFoundError:
            operation = "mount"
        with lock:
            log.write(json.dumps([operation, frame.hex()]) + "\n")

    board = p9.Connection(listener.accept()[0])
    server = p9.Connection(socket.create_connection(("127.0.0.1", int(server_port))))
    while True:
        try:
            request = board.receive()
        except p9.Gone:
            return
        record(request)
        server.send(request)
        reply = server.receive()
        if request[4] == TREAD and os.path.exists(os.path.join(directory, "slow")):
            open(os.path.join(directory, "held"), "w").close()
            wait_until(lambda: not os.path.exists(os.path.join(directory, "slow")))
        record(reply)
        board.send(reply)


def operations(root, directory, uid):
    """Touches every message the kernel client can send."""
    uid = int(uid)

    def operation(text):
        with open(os.path.join(directory, "operation.new"), "w") as f:
            f.write(text)
        os.rename(os.path.join(directory, "operation.new"), os.path.join(directory, "operation"))

    def flag(name, on):
        path = os.path.join(directory, name)
        open(path, "w").close() if on else os.unlink(path)

    def refused(call, *arguments):
        try:
            call(*arguments)
        except OSError:
            return
        raise SystemExit(f"{call.__name__}{arguments} was not refused")

    def tolerated(call, *arguments):
        try:
            call(*arguments)
        except OSError as e:
            print(f"{call.__name__}{arguments}: {e}")

    p = lambda *names: os.path.join(root, *names)

    operation("statfs")
    os.statvfs(root)
    operation("stat of what is not there")
    refused(os.stat, p("missing"))
    operation("mkdir")
    os.mkdir(p("directory"), 0o750)
    operation("create, write, fsync")
    f = os.open(p("file"), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
    os.write(f, b"hello, board\n")
    os.pwrite(f, bytes(range(256)), 1 << 33)
    os.fsync(f)
    os.fdatasync(f)
    operation("truncate, open file")
    os.ftruncate(f, 13)
    operation("create, exclusive, of what exists")
    refused(os.open, p("file"), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    operation("read")
    os.pread(f, 100, 0)
    os.pread(f, 100, 13)
    operation("locks")
    fcntl.lockf(f, fcntl.LOCK_EX, 10, 5)
    query = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
    # The client always sends the type UNLCK, which diod refuses with EINVAL: no Rgetlock from it.
    refused(fcntl.fcntl, f, fcntl.F_GETLK, query)
    child = os.fork()
    if child == 0:
        g = os.open(p("file"), os.O_RDWR)
        try:
            fcntl.lockf(g, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass
        os._exit(0)
    os.waitpid(child, 0)
    fcntl.lockf(f, fcntl.LOCK_UN)
    fcntl.flock(f, fcntl.LOCK_SH)
    operation("close")
    os.close(f)
    operation("open, append and truncate")
    os.close(os.open(p("file"), os.O_WRONLY | os.O_APPEND))
    os.close(os.open(p("file"), os.O_WRONLY | os.O_TRUNC))
    os.close(os.open(p("file"), os.O_RDWR | os.O_SYNC))
    operation("chmod, chown, utimes")
    os.chmod(p("file"), 0o4755)
    os.chown(p("file"), 0, 0)
    os.utime(p("file"))
    os.utime(p("file"), ns=(1_000_000_001, 2_000_000_002))
    os.truncate(p("file"), 5)
    operation("symlink and readlink")
    os.symlink("../some where/else", p("symlink"))
    os.readlink(p("symlink"))
    operation("link")
    os.link(p("file"), p("directory", "hard link"))
    operation("mknod")
    os.mknod(p("device"), 0o600 | 0o020000, os.makedev(1, 3))
    os.mknod(p("block"), 0o600 | 0o060000, os.makedev(259, 70000))
    os.mkfifo(p("fifo"))
    s = socket.socket(socket.AF_UNIX)
    s.bind(p("socket"))
    s.close()
    operation("extended attributes")
    os.setxattr(p("file"), "user.colour", b"blue")
    tolerated(os.setxattr, p("file"), "user.empty", b"")  # diod takes every size 0 for a removal
    os.listxattr(p("file"))
    os.getxattr(p("file"), "user.colour")
    refused(os.getxattr, p("file"), "user.missing")
    refused(os.setxattr, p("file"), "user.missing", b"", os.XATTR_REPLACE)
    os.removexattr(p("file"), "user.colour")
    operation("names that are not ASCII")
    os.mkdir(p("directory", "\u00fcml\u00e4ut \u2603"))
    operation("readdir")
    for i in range(12):
        os.close(os.open(p("directory", f"entry-{i}"), os.O_WRONLY | os.O_CREAT))
    os.listdir(p("directory"))
    d = os.open(p("directory"), os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(d)
    os.close(d)
    # diod 1.0.24 lacks Trenameat and Tunlinkat: the client falls back to Trename and Tremove.
    operation("rename")
    os.rename(p("file"), p("directory", "renamed"))
    refused(os.rename, p("directory"), p("directory", "renamed"))
    operation("unlink, also while open")
    f = os.open(p("directory", "renamed"), os.O_RDWR)
    os.unlink(p("directory", "renamed"))
    os.write(f, b"still here")
    tolerated(os.fstat, f)  # diod goes by the name: ENOENT
    tolerated(os.fchmod, f, 0o600)
    os.close(f)
    os.unlink(p("directory", "hard link"))
    refused(os.rmdir, p("directory"))
    operation("a deep directory")
    deep = [f"level-{i}" for i in range(20)]
    os.makedirs(p(*deep))
    operation("another user, in the deep directory")
    os.chmod(root, 0o755)
    subprocess.run(
        ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "ls", "-la", p(*deep)], check=True,
        stdout=subprocess.DEVNULL)
    operation("interrupted read")
    f = os.open(p("slow"), os.O_RDWR | os.O_CREAT)
    os.write(f, b"x" * 100)
    flag("slow", True)
    child = os.fork()
    if child == 0:
        os.pread(f, 100, 0)
        os._exit(0)
    wait_until(lambda: os.path.exists(os.path.join(directory, "held")) and waits_in_kernel(child))
    before = waits_in_kernel(child)
    os.kill(child, signal.SIGKILL)
    # Now it waits for the Rflush: its Tflush goes out when the reply has come.
    wait_until(lambda: waits_in_kernel(child) not in (None, before))
    flag("slow", False)
    os.waitpid(child, 0)
    os.close(f)
    operation("unmount")


def select(frames, output):
    """At most three frames a type: of different operations first, then of different sizes; none over 1 KiB."""
    kept = {}
    for line in open(frames):
        operation, frame = json.loads(line)
        data = bytes.fromhex(frame)
        if len(data) > 1024:
            continue
        entries = kept.setdefault(data[4], [])
        if any(o == operation and len(d) == len(data) for o, d in entries):
            continue
        entries.append((operation, data))
    os.makedirs(output, exist_ok=True)
    for kind, entries in sorted(kept.items()):
        # The smallest, the largest and the first: the corners of the layout, and the usual case.
        by_size = sorted(range(len(entries)), key=lambda i: len(entries[i][1]))
        chosen = []
        for i in (0, by_size[-1], by_size[0], len(entries) // 2):
            if i not in chosen and len(chosen) < 3:
                chosen.append(i)
        for number, i in enumerate(sorted(chosen), 1):
            operation, data = entries[i]
            suffix = f"-{number}" if len(chosen) > 1 else ""
            with open(os.path.join(output, f"{kind:03}-{p9.name_of(kind)}{suffix}.hex"), "w") as f:
                f.write(f"# {p9.name_of(kind)}, {len(data)} bytes, tag {struct.unpack('<H', data[5:7])[0]}: {operation}\n")
                for at in range(0, len(data), 16):
                    f.write(data[at : at + 16].hex(" ") + "\n")
    print(" ".join(f"{p9.name_of(kind)}:{len(entries)}" for kind, entries in sorted(kept.items())))


if __name__ == "__main__":
    {"proxy": proxy, "operations": operations, "select": select}[sys.argv[1]](*sys.argv[2:])
