"""A file system that doesn't answer, under one export: stalled_files.py P9SERVE DIRECTORY UID. Prints "ok" or "not ok"."""

import contextlib
import os
import resource
import subprocess
import sys
import threading
import time

import fuse
import p9
from checks import check, finish

program, directory, uid = sys.argv[1], sys.argv[2], int(sys.argv[3])
plain, stuck = f"{directory}/plain", f"{directory}/stuck"
FILES = 400


def as_user():
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    # Few, so that fids are parked all the time, those of the stuck export included.
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


def start():
    return p9.Server(program, plain, "--export", f"stuck={stuck}", preexec_fn=as_user if os.getuid() == 0 else None)


def work(port, prefix, fids):
    """What a second board does: walks, looks, renames, changes; the seconds it took."""
    client = p9.Client(port, timeout=20)
    start = time.monotonic()
    held = [client.walk(f"file-{index}") for index in range(fids)]
    client.mkdir(f"{prefix}-dir")
    for index in range(50):
        client.clunk(client.create(f"{prefix}-{index}", gid=5))
        client.rename(f"{prefix}-{index}", f"{prefix}-dir/{index}")
        client.change(f"{prefix}-dir/{index}", mode=0o4755)
    client.rename(f"{prefix}-dir", f"{prefix}-moved")
    inner = [client.walk(f"{prefix}-moved/{index}") for index in range(50)]
    client.rename(f"{prefix}-moved", f"{prefix}-again")
    for fid in held + inner:
        client.getattr(fid)
    seconds = time.monotonic() - start
    client.close()
    return seconds


def send_only(client, request):
    client.send(p9.frame(*request))


def wait_for(condition):
    for _ in range(500):
        if condition():
            return True
        time.sleep(0.02)
    return False


def stuck_client(port, tree):
    client = p9.Client(port, timeout=20, aname="stuck")
    fids = [client.walk(f"file-{index}") for index in range(20)]
    return client, fids


@contextlib.contextmanager
def stalling():
    """A server with a file system under one export that can be stalled, and a client that has walked there."""
    tree = fuse.StallingFileSystem(stuck, uid)
    try:
        for index in range(20):
            tree.make(1, b"file-%d" % index, fuse.stat.S_IFREG | 0o644)
        server = start()
        try:
            client, fids = stuck_client(server.port, tree)
            yield tree, server, client, fids
        finally:
            tree.close()  # before the server ends: it waits for what is stalled
            server.kill()
            server.reap()
    finally:
        tree.close()


def scenario(name, prepare, fids=FILES):
    """Runs the second board's work beside a stuck request of the first one, and once more without, for comparison."""
    with stalling() as (tree, server, client, inside):
        before = work(server.port, "before", fids)
        prepare(tree, client, inside)
        check(f"{name}: the request waits", wait_for(lambda: tree.stalled > 0))
        try:
            after = work(server.port, "after", fids)
            check(f"{name}: the other export goes on", after < 3 * before + 1, note=f"{after / before:.2f} of the time before")
        except (OSError, p9.Gone) as error:
            check(f"{name}: the other export goes on", False, note=str(error))
    for left in ("before", "after"):
        subprocess.run(f"rm -rf {plain}/{left}-*", shell=True, check=True)


def renames(tree, client, fids):
    tree.stall(fuse.RENAME)
    tree.stall(fuse.RENAME2)
    send_only(client, p9.Trenameat(0, "file-0", 0, "moved"))


def changes_mode(tree, client, fids):
    tree.stall(fuse.SETATTR)
    send_only(client, p9.Tsetattr(fids[0], mode=0o600))


def sets_label(tree, client, fids):
    tree.stall(fuse.SETXATTR)
    send_only(client, p9.Tsetattr(fids[0], uid=5, gid=5))


def dies(tree, client, fids):
    tree.stall()
    send_only(client, p9.Tgetattr(fids[0]))


os.makedirs(plain, exist_ok=True)
os.makedirs(stuck, exist_ok=True)
for index in range(FILES):
    open(f"{plain}/file-{index}", "w").close()
if os.getuid() == 0:
    for path in [plain, *(f"{plain}/{name}" for name in os.listdir(plain))]:
        os.chown(path, uid, uid)

scenario("a rename that waits", renames)
scenario("a chmod that waits", changes_mode)
scenario("a label that waits", sets_label)
scenario("a file system that has died", dies)

# In the same export: another session, other files.
for kind, opcode, change in (
    ("chmod", fuse.SETATTR, {"mode": 0o600}),
    ("label", fuse.SETXATTR, {"uid": 5, "gid": 5}),
):
    with stalling() as (tree, server, client, fids):
        other = p9.Client(server.port, timeout=10, aname="stuck")
        held = [other.walk(f"file-{index}") for index in range(1, 20)]
        tree.stall(opcode)
        send_only(client, p9.Tsetattr(fids[0], **change))
        check(f"{kind} that waits, same export: the request waits", wait_for(lambda: tree.stalled > 0))
        try:
            for fid in held:
                other.getattr(fid)
                other.call(*p9.Tsetattr(fid, **change))
                other.getattr(fid)
            other.rename("file-1", "file-1-moved")
            check(f"{kind} that waits, same export: other files go on", True)
        except (OSError, p9.Gone) as error:
            check(f"{kind} that waits, same export: other files go on", False, note=str(error))

# A server looks at its directory's first files before it starts.
above, mounted = f"{directory}/above", f"{directory}/above/mounted"
os.makedirs(mounted)
tree = fuse.StallingFileSystem(mounted, uid)
started = []
try:
    tree.make(1, b"file", fuse.stat.S_IFREG | 0o644)
    os.listdir(mounted)
    tree.stall()
    user = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"] if os.getuid() == 0 else []
    server = subprocess.Popen(
        [*user, program, "serve", above, "--listen", "tcp://127.0.0.1:0"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    reader = threading.Thread(target=lambda: started.extend(server.stderr))
    reader.start()
    wait_for(lambda: started)
    check("a server starts above a file system that stalls", b"listening on" in b"".join(started[:1]), note=str(started))
    server.terminate()
finally:
    tree.close()
server.wait()
reader.join()

finish()
