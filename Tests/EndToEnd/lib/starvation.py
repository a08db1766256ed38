"""Clients that take all they can get: starvation.py P9SERVE DIRECTORY. Whatever they take, another session goes on.

Prints "ok" or "not ok" for each. The server may have few files open, so that little is needed to reach the limits.
"""

import errno
import os
import resource
import socket
import sys
import time

import p9
from checks import check, finish

program, directory = sys.argv[1:]
OPEN_FILES = 512
tree = f"{directory}/tree"


class Limited(p9.Server):
    """A p9serve that may have so many files open."""

    def __init__(self, open_files=OPEN_FILES):
        limit = (open_files, open_files)
        super().__init__(program, tree, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit))

    def mebibytes(self):
        """Resident memory."""
        return self.resident() >> 10


def everyday(client, name):
    """What a board does all day; the seconds it took."""
    start = time.monotonic()
    for index in range(20):
        fids = [client.walk(f"file-{number}") for number in range(20)]
        for fid in fids:
            client.getattr(fid)
        client.open(fids[0])
        client.read_all(fids[0])
        for fid in fids:
            client.clunk(fid)
        client.clunk(client.create(f"{name}-{index}"))
        client.rename(f"{name}-{index}", f"{name}-renamed")
        with client.walked(f"{name}-renamed") as fid:
            client.set_xattr(fid, "user.note", b"value")
            assert client.xattr(fid, "user.note") == b"value"
        client.names("")
        client.unlink(f"{name}-renamed")
    return time.monotonic() - start


def until_refused(take, limit):
    """How often something was given."""
    for number in range(limit):
        try:
            take(number)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.ENOMEM):
                check("the refusal says what is lacking", False, note=str(error)[:60])
            return number
    return limit


def opens(client):
    return until_refused(lambda _: client.open(client.walk("file-0")), 2000)


def attaches(client):
    def attach(number):
        client.call(*p9.Tattach(100_000 + number, f"{tree}/deep"))

    return until_refused(attach, 2000)


def removed(client):
    def take(number):
        client.clunk(client.create(f"removed-{number}"))
        client.walk(f"removed-{number}")
        client.unlink(f"removed-{number}")

    taken = until_refused(take, 2000)
    # The last one's name may be left.
    for name in os.listdir(tree):
        if name.startswith("removed-"):
            os.unlink(f"{tree}/{name}")
    return taken


def deep(client):
    below = "/".join(["deep"] + ["d" * 250] * 17)
    return until_refused(lambda _: client.walk(below), 1000)


def directories(client):
    def take(_):
        fid = client.walk("many")
        client.open(fid, p9.DIRECTORY)
        client.call(*p9.Treaddir(fid, 0, 1 << 16))

    return until_refused(take, 2000)


def fids(client):
    return until_refused(lambda number: client.call(*p9.Twalk(0, 10 + number)), 60_000)


def uploads(client):
    def take(_):
        fid = client.walk("file-0")
        client.call(*p9.Txattrcreate(fid, "user.large", 65_536))
        client.call(*p9.Twrite(fid, 0, bytes(65_536)))

    return until_refused(take, 2000)


def locks(client):
    fid = client.walk("file-0")
    client.open(fid)

    def take(number):
        if client.call(*p9.Tlock(fid, 2 * number, 1, kind=0)) != b"\0":
            raise OSError(errno.ENOSPC, "")

    return until_refused(take, 10_000)


def hog(name, take, clients=4):
    server = Limited()
    try:
        other = p9.Client(server.port)
        before = everyday(other, "before")
        hogs, taken = [], []
        for _ in range(clients):
            try:
                hogs.append(p9.Client(server.port))
                taken.append(take(hogs[-1]))
            except OSError as error:
                check(f"{name}: every one of {clients} clients gets something", False, note=str(error))
        try:
            after = everyday(other, "after")
            check(f"{name}: a session that was there goes on", after < 5 * before + 0.5, note=f"{after / before:.2f} of the time before; taken: {taken}")
        except OSError as error:
            check(f"{name}: a session that was there goes on", False, note=f"{error}; taken: {taken}")
        try:
            everyday(p9.Client(server.port), "new")
            check(f"{name}: a new session works", True)
        except OSError as error:
            check(f"{name}: a new session works", False, note=f"{error}; taken: {taken}")
        memory = server.mebibytes()
        check(f"{name}: memory", memory < 160, note=f"{memory} MiB")
    finally:
        server.kill()
        server.reap()


def unread_replies():
    server = Limited(4096)
    try:
        clients = []
        for _ in range(60):
            client = p9.Client(server.port)
            fid = client.walk("large")
            client.open(fid)
            client.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for tag in range(64):
                client.send(p9.frame(*p9.Tread(fid, 0, (1 << 20) - 11), tag))
            clients.append(client)
        # Until nothing more is read for them.
        memory, before = server.mebibytes(), -1
        while memory > before:
            everyday(p9.Client(server.port), f"new-{memory}")
            before, memory = memory, server.mebibytes()
        check("60 clients that read no reply: memory", memory < 400, note=f"{memory} MiB")
    finally:
        server.kill()
        server.reap()


def silent_connections():
    server = Limited(4096)
    try:
        used = p9.Client(server.port)
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(300)]
        # Some have a session, and attach to nothing.
        for connection in silent[:50]:
            connection.sendall(p9.frame(*p9.Tversion(8192), p9.NOTAG))
        start_time = time.monotonic()
        new = p9.Client(server.port, timeout=30)
        everyday(new, "new")
        check("300 silent connections: a new client gets in", True, note=f"{time.monotonic() - start_time:.1f} s")
        everyday(used, "used")
        check("300 silent connections: who was attached stays", True)
        for connection in silent:
            connection.close()
    except OSError as error:
        check("300 silent connections: a new client gets in", False, note=str(error))
    finally:
        server.kill()
        server.reap()


def few_descriptors():
    """Either the server says at once that it can't work so, or it works."""
    for open_files in (20, 40, 63, 64, 100):
        try:
            server = Limited(open_files)
        except SystemExit as error:
            check(f"ulimit -n {open_files}: refused, and it says why", "ulimit -n" in str(error), note=str(error))
            continue
        try:
            everyday(p9.Client(server.port), "few")
            everyday(p9.Client(server.port), "more")
            check(f"ulimit -n {open_files}: two clients can work", True)
        except (OSError, p9.Gone) as error:
            check(f"ulimit -n {open_files}: two clients can work", False, note=f"{error}; {server.said}")
        finally:
            server.kill()
            server.reap()


os.makedirs(f"{tree}/many")
os.makedirs(f"{tree}/deep")
for number in range(20):
    with open(f"{tree}/file-{number}", "w") as file:
        file.write("text")
for number in range(2000):
    open(f"{tree}/many/{number}", "w").close()
with open(f"{tree}/large", "wb") as file:
    file.truncate(1 << 20)
above = os.open(f"{tree}/deep", os.O_RDONLY)
for _ in range(17):
    os.mkdir("d" * 250, dir_fd=above)
    below = os.open("d" * 250, os.O_RDONLY, dir_fd=above)
    os.close(above)
    above = below
os.close(above)

hog("open files", opens)
hog("attached directories", attaches)
hog("fids of removed files", removed)
hog("fids deeper than any path", deep)
hog("open directories", directories)
hog("fids", fids)
hog("attributes under way", uploads)
hog("locks", locks)
unread_replies()
silent_connections()
few_descriptors()
finish()
