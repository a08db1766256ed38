"""Exports whose databases a board could reach: nested ones, and the user's home.

usage: databases.py P9SERVE DIRECTORY
"""

import errno
import os
import shutil
import struct
import sys

from p9 import Client, Server, string

program, home = sys.argv[1:]


def check(name, got, wanted):
    print(f"ok {name}" if got == wanted else f"not ok {name}: got {got!r}, want {wanted!r}")


def refusal(body):
    try:
        body()
        return None
    except OSError as error:
        return error.errno


def attach(port, aname, uid=5):
    """A client in another export than the default one."""
    client = Client(port, uid)
    if aname:
        client.call(120, struct.pack("<I", 0))
        client.call(104, struct.pack("<II", 0, 0xFFFFFFFF) + string("root") + string(aname) + struct.pack("<I", uid))
    return client


def databases(top):
    return sorted(
        os.path.join(path, name)
        for path, _, names in os.walk(top)
        for name in names
        if ".usb9pfs.db" in name
    )


# `serve outer --export home=outer/home`
os.makedirs("outer/home")
server = Server(program, "outer", "--export", "home=outer/home")
inner, outer = attach(server.port, "home"), attach(server.port, "")
inner.symlink("l", "x")
check("a nested export's database is not in the outer export", databases("outer"), [])
check("but in the state directory", len(databases(".local/state/usb9pfs")) > 0, True)
names = {name for path in databases(".local/state/usb9pfs") for name in [os.path.basename(path)]}
check("with a name that is reserved", all(".usb9pfs.db" in name for name in names), True)
check("the label is there", inner.status("l").uid, 5)
check("and the other session goes on", outer.status("home").uid, 0)
server.stop()
shutil.rmtree(".local", ignore_errors=True)

# `serve $HOME`: the parent isn't ours, and the state directory lies within.
server = Server(program, home)
board, other = attach(server.port, ""), attach(server.port, "")
board.symlink("l", "x")
found = databases(".local/state/usb9pfs")
check("without a place outside there is no shared memory", [path for path in found if path.endswith(("-shm", "-wal"))], [])
check("all for their owner alone", {oct(os.stat(path).st_mode & 0o777) for path in found}, {"0o600"})
check("one database", len(found), 1)
for path in found:
    check("which a board doesn't find", refusal(lambda: board.status(path)), errno.ENOENT)
    for suffix in ("", "-wal", "-shm", "-journal"):
        check(
            f"nor makes ({suffix})",
            refusal(lambda: board.symlink(path + suffix, "/etc/passwd")),
            errno.EINVAL,
        )
check("the label is there", board.status("l").uid, 5)
check("and the other session goes on", other.status("l").uid, 5)
server.stop()
