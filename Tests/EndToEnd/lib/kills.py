"""SIGKILL at random moments: kills.py P9SERVE DIRECTORY KILLS SEED.

Imports, storms of chown and chmod, and storms of creation and removal are killed; what is there afterwards must be what was
asked for up to some request. Works in DIRECTORY, as the user who runs it.
"""

import glob
import io
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
import time

import p9
from checks import check, finish

program, directory, kills, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
random.seed(seed)
STAGING = ".usb9pfs-new."


def has_check():
    said = subprocess.run([program, "--help"], capture_output=True, text=True).stdout
    return any(line.split()[:1] == ["check"] for line in said.splitlines())


def check_command(tree):
    """What `p9serve check` has to say against a tree; nothing if it finds none."""
    done = subprocess.run([program, "check", tree], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    return [] if done.returncode == 0 else [f"p9serve check: exit code {done.returncode}: {done.stdout}{done.stderr}"]


def tell(name, trouble, note=""):
    more = [f"and {len(trouble) - 20} more"] if len(trouble) > 20 else []
    check(name, not trouble, trouble[:20] + more, note)


def kill_later(process):
    """After 1 to 100 milliseconds."""
    timer = threading.Timer(random.uniform(0.001, 0.1), process.kill)
    timer.start()
    return timer


# Imports


def make_archive(path):
    """Seventeen hundred entries of all kinds, six megabytes; returns what the board must see of each."""
    expected = {}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:

        def add(name, line, kind=tarfile.REGTYPE, content=b"", **fields):
            uid, gid, mode = fields.pop("owner", (0, 0, 0o644))
            entry = tarfile.TarInfo("./" + name)
            entry.uid, entry.gid, entry.mode, entry.type, entry.size = uid, gid, mode, kind, len(content)
            for field, value in fields.items():
                setattr(entry, field, value)
            archive.addfile(entry, io.BytesIO(content))
            expected[name] = (f"{uid}:{gid} {mode:o} {line}", content)

        add("", "directory", tarfile.DIRTYPE, owner=(0, 0, 0o755))
        for number in range(50):
            folder = f"d{number}"
            add(folder, "directory", tarfile.DIRTYPE, owner=(number % 3, number % 5, 0o755 if number % 7 else 0o1777))
            for file in range(30):
                owner = (file % 4, file % 3, (0o644, 0o4755, 0o600, 0o444)[file % 4])
                add(f"{folder}/f{file}", "file", content=b"%d\n" % file * 800, owner=owner)
            add(f"{folder}/l", "symlink", tarfile.SYMTYPE, linkname="f0", owner=(number, number, 0o777))
            add(f"{folder}/c", f"char {number}:3", tarfile.CHRTYPE, devmajor=number, devminor=3, owner=(0, 0, 0o666))
            add(f"{folder}/b", f"block 8:{number}", tarfile.BLKTYPE, devmajor=8, devminor=number, owner=(0, 6, 0o660))
            add(f"{folder}/p", "pipe", tarfile.FIFOTYPE, owner=(1, 1, 0o600))
            entry = tarfile.TarInfo(f"./{folder}/h")
            entry.type, entry.linkname, entry.mode = tarfile.LNKTYPE, f"./{folder}/f1", 0o4755
            entry.uid, entry.gid = 1, 1
            archive.addfile(entry)
            expected[f"{folder}/h"] = expected[f"{folder}/f1"]
    return expected


def compare_import(tree, expected):
    """Where the served tree is not what the archive says."""
    trouble = []
    server = p9.Server(program, tree)
    client = p9.Client(server.port)
    found = {}
    todo = [""]
    while todo:
        path = todo.pop()
        found[path] = p9.seen(client.status(path))
        if found[path].endswith("directory"):
            todo += [f"{path}/{name}" if path else name for name in client.names(path)]
    client.close()
    server.stop()
    for path in expected.keys() | found.keys():
        want, content = expected.get(path, (None, None))
        if found.get(path) != want:
            trouble.append(f"/{path}: {found.get(path)}, not {want}")
        elif want.endswith("file"):
            with open(f"{tree}/{path}", "rb") as file:
                if file.read() != content:
                    trouble.append(f"/{path}: other content")
    return trouble


# What a database is called whose tree is gone, when another needs its name.
ASIDE = r"\.[0-9a-f]+\.usb9pfs\.db"


def is_known(name):
    """Whether a name beside the tree is an import's or a database's."""
    return bool(re.fullmatch(r"\.{1,2}rootfs\.(importing-|usb9pfs\.db).*", name) or re.fullmatch(ASIDE + ".*", name))


def storm_of_imports(count):
    parent = f"{directory}/imports"
    tree = f"{parent}/rootfs"
    archive = f"{directory}/archive.tar"
    expected = make_archive(archive)
    os.mkdir(parent)
    command = [program, "import", "--quiet", archive, tree]
    start = time.monotonic()
    subprocess.run(command, check=True)
    whole = time.monotonic() - start
    margin = whole / 10
    trouble = compare_import(tree, expected)
    tell(f"an import that nobody kills, {whole * 1000:.0f} ms", trouble)
    # Without those of an import that has something wrong anyway.
    known = set(trouble)
    shutil.rmtree(tree)
    trouble = []
    complete = halves = leftovers = 0
    for number in range(count):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        is_late = number % 2 == 0
        if is_late:
            # Near the end, where the tree gets its name: how much later that is varies with the machine's load.
            while process.poll() is None and not glob.glob(f"{parent}/.rootfs.importing-*/d49"):
                time.sleep(0.001)
            time.sleep(random.uniform(0, 2 * margin))
        else:
            time.sleep(random.uniform(0.001, 0.1))
        process.kill()
        process.wait()
        names = os.listdir(parent)
        staging = {re.sub("^[.]+|[.]usb9pfs.*", "", name) for name in names if ".importing-" in name}
        leftovers += len(staging)
        strange = [name for name in names if name != "rootfs" and not is_known(name)]
        if strange:
            trouble.append(f"kill {number}: {strange} beside the tree")
        # The one that was killed, and one that was killed while it removed what was there before.
        if len(staging) > 2:
            trouble.append(f"kill {number}: what was left before is still there: {sorted(names)}")
        if is_late:
            margin *= 0.85 if "rootfs" in names else 1.2
        if "rootfs" not in names:
            halves += 1
            continue
        complete += 1
        trouble += [f"kill {number}: {text}" for text in compare_import(tree, expected) if text not in known]
        if checks:
            trouble += [f"kill {number}: {text}" for text in check_command(tree)]
        # The database of the tree that is gone stays: the next import's must replace it.
        shutil.rmtree(tree)
    if count >= 50 and (complete == 0 or halves == 0):
        trouble.append("no import was killed at its end: this shows too little")
    tell(
        f"{count} imports killed: the tree is whole or not there", trouble,
        f"{complete} were complete, {halves} not; {leftovers} staging directories lay about",
    )
    subprocess.run(command, check=True)
    trouble = [text for text in compare_import(tree, expected) if text not in known]
    names = sorted(os.listdir(parent))
    more = [name for name in names if ".importing-" in name]
    if more:
        trouble.append(f"left beside the tree: {more}")
    aside = [name for name in names if re.fullmatch(ASIDE, name)]
    if checks:
        trouble += check_command(tree)
    tell(
        "the next import removes what the killed ones left", trouble,
        f"{len(aside)} databases of trees that were removed were moved aside",
    )
    shutil.rmtree(parent)


# Storms on a server


class Pipeline:
    """Sends requests in batches. Each has a tag of its own; `started` and `ended` are told of each."""

    def __init__(self, client):
        self.client = client

    def run(self, requests, started, ended):
        """requests: a list of (key, kind, body). Raises Gone when the server is."""
        frames = b""
        for tag, (key, kind, body) in enumerate(requests):
            started(key)
            frames += p9.frame(kind, body, tag)
        self.client.send(frames)
        for _ in requests:
            tag, reply, body = self.client.reply()
            key, kind, _ = requests[tag]
            self.client.result(reply, kind, body)
            ended(key)


# uid, gid and mode that belong together: any other combination is a half of two.
STATES = [(0, 0, 0o755)] + [
    (1000 + number, 2000 + number, mode)
    for number, mode in enumerate(
        (0o4755, 0, 0o600, 0o640, 0o777, 0o1777, 0o2711, 0o444, 0o200, 0o7777, 0o100, 0o664, 0o750, 0o4711, 0o705)
    )
]


def make_targets(client):
    """Files of each kind, whose owner and mode are going to change."""
    fids = client.fid()
    client.call(*p9.Twalk(0, fids))
    kinds = {}
    for number in range(12):
        for name, mode, major, minor in (
            (f"file{number}", stat.S_IFREG, 0, 0),
            (f"char{number}", stat.S_IFCHR, 5, number),
            (f"pipe{number}", stat.S_IFIFO, 0, 0),
        ):
            client.call(*p9.Tmknod(fids, name, mode | 0o755, major, minor))
        client.mkdir(f"dir{number}")
        client.symlink(f"link{number}", "target")
        kinds.update({f"file{number}": "file", f"char{number}": f"char 5:{number}", f"pipe{number}": "pipe"})
        kinds.update({f"dir{number}": "directory", f"link{number}": "symlink"})
    client.clunk(fids)
    return kinds


def line(state, kind):
    uid, gid, mode = state
    return f"{uid}:{gid} {0o777 if kind == 'symlink' else mode:o} {kind}"


def storm_of_chowns(count):
    tree = import_empty("chowns")
    server = p9.Server(program, tree)
    client = p9.Client(server.port)
    kinds = make_targets(client)
    client.close()
    server.stop()
    # The state that was acknowledged, and the one that may or may not have been reached.
    acknowledged = {name: 0 for name in kinds}
    trouble = []
    changes = undecided = 0
    for number in range(count):
        server = p9.Server(program, tree)
        in_flight = {}
        ended = [0]

        def change(client, names):
            pipeline = Pipeline(client)
            fids = {name: client.walk(name) for name in names}
            while True:
                requests = []
                for name in random.sample(names, 16):
                    state = random.randrange(len(STATES))
                    uid, gid, mode = STATES[state]
                    # What Linux sends for a link has no mode.
                    mode = None if kinds[name] == "symlink" else mode
                    requests.append(((name, state), *p9.Tsetattr(fids[name], mode, uid, gid)))
                pipeline.run(requests, lambda key: in_flight.__setitem__(*key), acknowledge)

        def acknowledge(key):
            name, state = key
            acknowledged[name] = state
            del in_flight[name]
            ended[0] += 1

        def until_gone(client, names):
            try:
                change(client, names)
            except p9.Gone:
                pass
            except OSError as error:
                trouble.append(f"kill {number}: a change failed: {error}")

        names = sorted(kinds)
        # Connected before the server may be killed.
        parts = [(p9.Client(server.port), part) for part in (names[::2], names[1::2])]
        threads = [threading.Thread(target=until_gone, args=part) for part in parts]
        timer = kill_later(server)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client, _ in parts:
            client.close()
        timer.join()
        server.reap()
        changes += ended[0]
        if checks:
            trouble += [f"kill {number}: {text}" for text in check_command(tree)]
        server = p9.Server(program, tree)
        client = p9.Client(server.port)
        for name, kind in kinds.items():
            states = {acknowledged[name]} | ({in_flight[name]} if name in in_flight else set())
            have = p9.seen(client.status(name))
            if have not in [line(STATES[state], kind) for state in states]:
                wanted = " or ".join(line(STATES[state], kind) for state in states)
                trouble.append(f"kill {number}: {name}: {have}, not {wanted}")
                client.change(name, *(STATES[0][2:] if kind != "symlink" else (None,)), uid=0, gid=0)
                acknowledged[name] = 0
                continue
            undecided += len(states) > 1
            acknowledged[name] = next(state for state in states if line(STATES[state], kind) == have)
        if client.names("").keys() != kinds.keys():
            trouble.append(f"kill {number}: the names are {sorted(client.names('').keys() ^ kinds.keys())} off")
        client.close()
        server.stop()
    tell(
        f"{count} kills during chown and chmod: each file has its old or its new owner and mode, together", trouble,
        f"{changes} changes were made, {undecided} were under way",
    )
    if changes < count:
        tell("the storm of chowns was one", [f"only {changes} changes in {count} runs"])
    shutil.rmtree(tree)


def storm_of_creations(count):
    tree = import_empty("creations")
    uid = 1234
    trouble = []
    made = hidden = 0
    serial = 0
    for number in range(count):
        server = p9.Server(program, tree)
        client = p9.Client(server.port, uid)
        folder = f"run{number}"
        client.mkdir(folder, 0o777)
        expected = {}  # what was acknowledged: a name to its line
        in_flight = {}  # what may be there or not: likewise
        timer = kill_later(server)

        def started(key):
            name, want, _ = key
            in_flight[name] = want if want is not None else expected.pop(name)

        def ended(key):
            name, want, _ = key
            del in_flight[name]
            if want is not None:
                expected[name] = want

        try:
            parent = client.walk(folder)
            pipeline = Pipeline(client)
            linkable = client.fid()
            while True:
                requests = []
                clones = []
                for _ in range(16):
                    serial += 1
                    mode = random.choice((0o644, 0o4755, 0o600, 0o1777, 0o2755, 0o444, 0))
                    gid = random.choice((0, serial))
                    owner = f"{uid}:{gid}"
                    kind = random.choice(("file", "char", "block", "pipe", "socket", "dir", "dir", "link", "lcreate", "unlink"))
                    name = f"{kind}{serial}"
                    if kind == "dir":
                        line = f"{owner} {mode:o} directory"
                        requests.append(((name, line, None), *p9.Tmkdir(parent, name, mode, gid)))
                    elif kind == "link":
                        line = f"{owner} 777 symlink"
                        requests.append(((name, line, None), *p9.Tsymlink(parent, name, "target", gid)))
                    elif kind == "lcreate":
                        fid = client.fid()
                        client.call(*p9.Twalk(parent, fid))
                        clones.append(fid)
                        request = p9.Tlcreate(fid, name, mode | stat.S_IFREG, gid)
                        requests.append(((name, f"{owner} {mode:o} file", None), *request))
                    elif kind == "unlink":
                        victims = [victim for victim in expected if not victim.startswith("dir")]
                        victims = [victim for victim in victims if victim not in {key[0] for key, _, _ in requests}]
                        if victims:
                            victim = random.choice(victims)
                            requests.append(((victim, None, None), *p9.Tunlinkat(parent, victim)))
                    else:
                        types = {"file": stat.S_IFREG, "char": stat.S_IFCHR, "block": stat.S_IFBLK}
                        types.update({"pipe": stat.S_IFIFO, "socket": stat.S_IFSOCK})
                        numbers = (serial % 4000, serial) if kind in ("char", "block") else (0, 0)
                        line = f"{owner} {mode:o} {kind}" + (f" {numbers[0]}:{numbers[1]}" if any(numbers) else "")
                        requests.append(((name, line, None), *p9.Tmknod(parent, name, types[kind] | mode, *numbers, gid)))
                pipeline.run(requests, started, ended)
                for fid in clones:
                    client.clunk(fid)
                # A second name for one of them; its link must not outlive or lose anything.
                names = [name for name in expected if name.startswith(("file", "char", "link"))]
                if names:
                    first = random.choice(names)
                    client.call(*p9.Twalk(parent, linkable, first))
                    serial += 1
                    key = (f"{first}-again{serial}", expected[first], None)
                    pipeline.run([(key, *p9.Tlink(parent, linkable, key[0]))], started, ended)
                    client.call(*p9.Tclunk(linkable))
        except p9.Gone:
            pass
        except OSError as error:
            trouble.append(f"kill {number}: a request failed: {error}")
        client.close()
        timer.join()
        server.reap()
        made += len(expected)
        hidden += sum(name.startswith(STAGING) for name in os.listdir(f"{tree}/{folder}"))
        if checks:
            trouble += [f"kill {number}: {text}" for text in check_command(tree)]
        server = p9.Server(program, tree)
        client = p9.Client(server.port)
        found = client.names(folder)
        for name in expected.keys() | found.keys():
            want = expected.get(name) or in_flight.get(name)
            have = p9.seen(client.status(f"{folder}/{name}")) if name in found else None
            if have != want:
                trouble.append(f"kill {number}: {name}: {have}, not {want}")
        # All that the client sees is removed; then the directory must be empty for it.
        for name, kind in found.items():
            client.unlink(f"{folder}/{name}", 0x200 if kind == stat.S_IFDIR >> 12 else 0)
        try:
            client.unlink(folder, 0x200)
        except OSError as error:
            trouble.append(f"kill {number}: an empty directory can't be removed: {error}")
            shutil.rmtree(f"{tree}/{folder}")
        client.close()
        server.stop()
    tell(
        f"{count} kills during creation and removal: what is there is whole, and no more than was asked for", trouble,
        f"{made} were made, {hidden} unfinished ones lay hidden",
    )
    if made < count:
        tell("the storm of creations was one", [f"only {made} files in {count} runs"])
    shutil.rmtree(tree)


def import_empty(name):
    """An imported tree, so that it has what an import leaves: a manifest."""
    archive = f"{directory}/{name}.tar"
    with tarfile.open(archive, "w") as tar:
        entry = tarfile.TarInfo("./")
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(entry)
    subprocess.run([program, "import", "--quiet", archive, f"{directory}/{name}"], check=True)
    return f"{directory}/{name}"


checks = has_check()
print(f"    # seed {seed}, {kills} kills" + ("" if checks else "; there is no p9serve check here"))
start = time.monotonic()
imports = kills * 2 // 5
chowns = (kills - imports) // 2
storm_of_imports(imports)
storm_of_chowns(chowns)
storm_of_creations(kills - imports - chowns)
print(f"    # {time.monotonic() - start:.0f} seconds")
finish()
