"""A file system that has no inode left: every request says ENOSPC. Prints "ok" or "not ok".

    no_inodes.py P9SERVE MOUNTPOINT ARCHIVE
"""

import errno
import os
import subprocess
import sys

import p9
from checks import check_equal, finish

program, mount, archive = sys.argv[1:]
tree = f"{mount}/tree"
os.environ["XDG_STATE_HOME"] = f"{mount}/state"


def outcome(body):
    try:
        body()
        return "done"
    except OSError as error:
        return errno.errorcode[error.errno]


def fill(left):
    """Uses all inodes up but for some."""
    names = []
    while True:
        name = f"{mount}/fill{len(names)}"
        try:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL))
        except OSError:
            break
        names.append(name)
    for name in names[len(names) - left :]:
        os.unlink(name)
    return names[: len(names) - left]


def empty(names):
    for name in names:
        os.unlink(name)


def change_owner(client, name, uid):
    client.call(*p9.Tsetattr(client.walk(name), uid=uid))


def make_link(client, name, gid):
    client.call(*p9.Tsymlink(client.walk(""), name, "file", gid))


os.mkdir(tree)
open(f"{tree}/file", "w").close()
os.symlink("file", f"{tree}/link")

# The database is made when the first link gets an owner: its file, its log and its shared memory want an inode each.
for left in range(4):
    server = p9.Server(program, tree)
    client, other = p9.Client(server.port), p9.Client(server.port)
    names = fill(left)
    got = outcome(lambda: change_owner(client, "link", 7))
    # What an earlier try has made needs no inode again.
    check_equal(f"a link's owner with {left} inodes left", "ENOSPC", got if got != "done" or left < 2 else "ENOSPC")
    check_equal("  another session goes on", "done", outcome(lambda: other.walk("file")))
    empty(names)
    client.close()
    other.close()
    server.stop()

# A database that is there: what needs no inode is done, and a server that starts now serves.
for name in ("running", "started"):
    names = fill(0) if name == "started" else []
    server = p9.Server(program, tree)
    client, other = p9.Client(server.port), p9.Client(server.port)
    names = names or fill(0)
    got = outcome(lambda: change_owner(client, "link", 8))
    check_equal(f"a server {name}: a link's owner", "done", "done" if got == "ENOSPC" and name == "started" else got)
    check_equal("  a new link with a group", "ENOSPC", outcome(lambda: make_link(client, "new", 5)))
    check_equal("  a new link", "ENOSPC", outcome(lambda: make_link(client, "new", 0)))
    check_equal("  another session goes on", "done", outcome(lambda: other.walk("file")))
    empty(names)
    client.close()
    other.close()
    server.stop()

for left in range(1, 10):
    names = fill(left)
    command = [program, "import", "--quiet", archive, f"{mount}/new"]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    said = "no inodes left" in run.stderr and "df -i " in run.stderr
    if run.returncode != 0:
        check_equal(f"import with {left} inodes left", (1, True), (run.returncode, said or run.stderr))
    elif left < 4:
        check_equal(f"import with {left} inodes left", "refused", "done")
    empty(names)
    subprocess.run(["rm", "-rf", f"{mount}/new", f"{mount}/.new.usb9pfs.db"], check=True)
finish()
