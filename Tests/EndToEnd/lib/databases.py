"""Exports whose databases a board could reach: nested ones, and the user's home.

usage: databases.py P9SERVE DIRECTORY
"""

import errno
import os
import shutil
import sys

import p9
from checks import check_equal, finish

program, home = sys.argv[1:]


def refusal(body):
    try:
        body()
        return None
    except OSError as error:
        return error.errno


def attach(port, aname, uid=5):
    """A client in another export than the default one."""
    client = p9.Client(port, uid)
    if aname:
        client.call(*p9.Tclunk(0))
        client.call(*p9.Tattach(0, aname, uid))
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
server = p9.Server(program, "outer", "--export", "home=outer/home")
inner, outer = attach(server.port, "home"), attach(server.port, "")
inner.symlink("l", "x")
check_equal("a nested export's database is not in the outer export", [], databases("outer"))
check_equal("but in the state directory", True, len(databases(".local/state/usb9pfs")) > 0)
names = {name for path in databases(".local/state/usb9pfs") for name in [os.path.basename(path)]}
check_equal("with a name that is reserved", True, all(".usb9pfs.db" in name for name in names))
check_equal("the label is there", 5, inner.status("l").uid)
check_equal("and the other session goes on", 0, outer.status("home").uid)
server.stop()
shutil.rmtree(".local", ignore_errors=True)

# `serve $HOME`: the parent isn't ours, and the state directory lies within.
server = p9.Server(program, home)
board, other = attach(server.port, ""), attach(server.port, "")
board.symlink("l", "x")
found = databases(".local/state/usb9pfs")
check_equal("without a place outside there is no shared memory", [], [path for path in found if path.endswith(("-shm", "-wal"))])
check_equal("all for their owner alone", {"0o600"}, {oct(os.stat(path).st_mode & 0o777) for path in found})
check_equal("one database", 1, len(found))
for path in found:
    check_equal("which a board doesn't find", errno.ENOENT, refusal(lambda: board.status(path)))
    for suffix in ("", "-wal", "-shm", "-journal"):
        check_equal(
            f"nor makes ({suffix})",
            errno.EINVAL,
            refusal(lambda: board.symlink(path + suffix, "/etc/passwd")),
        )
check_equal("the label is there", 5, board.status("l").uid)
check_equal("and the other session goes on", 5, other.status("l").uid)
server.stop()
finish()
