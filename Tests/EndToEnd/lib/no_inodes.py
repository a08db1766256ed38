"""A file system that has no inode left: every request says ENOSPC. Prints "ok" or "not ok".

    no_inodes.py P9SERVE MOUNTPOINT ARCHIVE
"""

import errno
import os
import struct
import subprocess
import sys

import p9

program, mount, archive = sys.argv[1:]
tree = f"{mount}/tree"
os.environ["XDG_STATE_HOME"] = f"{mount}/state"
UID = 2


def check(name, got, want):
    print(f"ok {name}" if got == want else f"not ok {name}: got {got}, want {want}")


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
    client.call(26, struct.pack("<IIIIIQQQQQ", client.walk(name), UID, 0, uid, *[0] * 6))


def make_link(client, name, gid):
    body = struct.pack("<I", client.walk("")) + p9.string(name) + p9.string("file") + struct.pack("<I", gid)
    client.call(16, body)


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
    check(f"a link's owner with {left} inodes left", got if got != "done" or left < 2 else "ENOSPC", "ENOSPC")
    check("  another session goes on", outcome(lambda: other.walk("file")), "done")
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
    check(f"a server {name}: a link's owner", "done" if got == "ENOSPC" and name == "started" else got, "done")
    check("  a new link with a group", outcome(lambda: make_link(client, "new", 5)), "ENOSPC")
    check("  a new link", outcome(lambda: make_link(client, "new", 0)), "ENOSPC")
    check("  another session goes on", outcome(lambda: other.walk("file")), "done")
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
        check(f"import with {left} inodes left", (run.returncode, said or run.stderr), (1, True))
    elif left < 4:
        print(f"not ok import with {left} inodes left was done")
    empty(names)
    subprocess.run(["rm", "-rf", f"{mount}/new", f"{mount}/.new.usb9pfs.db"], check=True)
