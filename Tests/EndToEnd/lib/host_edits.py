"""Ordinary tools edit a tree while it is served: host_edits.py P9SERVE DIRECTORY FILE-SYSTEM [--no-xattrs].

Works in DIRECTORY, as the user who runs it. A model holds what the board must see of every labelled file; after each
edit a client compares the whole tree with it, and files that the model doesn't name must be root's with the host's mode.
"""

import io
import os
import shutil
import stat
import struct
import subprocess
import sys
import tarfile

import p9
from checks import check, finish

program, directory, file_system = sys.argv[1:4]
has_xattrs = "--no-xattrs" not in sys.argv
tree = os.path.join(directory, "tree")
CAPABILITY = "security.capability"
# Version 2, effective; cap_net_raw permitted.
NET_RAW = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
# How far an attempt to get an inode number again goes.
REUSE_LIMIT = 2000


def run(*command, **options):
    """A tool, quietly; what it says is shown only when it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def at(path):
    return os.path.join(tree, path)


def write(path, text):
    with open(at(path), "w") as file:
        file.write(text)


# The tree as it is imported: path -> uid, gid, mode, content or kind.
SCRIPT = "#!/bin/sh\necho this is {}\n" + "# padding\n" * 50
FILES = {
    "etc/conf": (100, 101, 0o644, "setting = old\n"),
    "etc/shadow": (0, 42, 0o640, "root:*:old::::::\n"),
    "etc/private": (0, 0, 0o600, "no label needed\n"),
    "etc/plain": (0, 0, 0o644, "old\n"),
    "bin/su": (0, 0, 0o4755, SCRIPT.format("su")),
    "bin/passwd": (0, 0, 0o4755, SCRIPT.format("passwd")),
    "bin/wall": (0, 5, 0o2755, SCRIPT.format("wall")),
    "bin/write": (0, 5, 0o2755, SCRIPT.format("write")),
    "bin/ping": (0, 0, 0o755, SCRIPT.format("ping")),
    "bin/mtr": (0, 0, 0o755, SCRIPT.format("mtr")),
    "bin/tool": (0, 0, 0o755, SCRIPT.format("tool")),
    "home/user/notes": (1001, 1002, 0o644, "old\n"),
    "home/user/secret": (1001, 1002, 0o400, "old\n"),
    "var/log/auth": (0, 4, 0o640, "old\n"),
}
DIRECTORIES = {
    "": (0, 0, 0o755),
    "etc": (0, 0, 0o755),
    "bin": (0, 0, 0o755),
    "dev": (0, 0, 0o755),
    "home": (0, 0, 0o755),
    "home/user": (1001, 1002, 0o750),
    "var": (0, 0, 0o755),
    "var/log": (0, 4, 0o2775),
    "tmp": (0, 0, 0o1777),
    "srv": (0, 0, 0o755),
    "reuse": (0, 0, 0o755),
}
SPECIALS = {
    "dev/null": (0, 0, 0o666, "char", 1, 3),
    "dev/zero": (0, 0, 0o666, "char", 1, 5),
    "dev/sda": (0, 6, 0o660, "block", 8, 0),
    "dev/fifo": (7, 8, 0o620, "pipe", 0, 0),
}
LINKS = {
    "home/user/link": (1001, 1002, "notes"),
    "etc/mtab": (0, 0, "../proc/self/mounts"),
    "var/lock": (33, 34, "/run/lock"),
}
CAPABILITIES = ("bin/ping", "bin/mtr")


def make_repository():
    """A git repository with two versions of three files, checked out at the first."""
    path = os.path.join(directory, "repository")
    git = ("git", "-C", path, "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    run("git", "init", "-q", "-b", "main", path)
    os.mkdir(f"{path}/dir")
    for version in ("one", "two"):
        for name, mode in (("page", 0o644), ("dir/page", 0o644), ("script", 0o755)):
            with open(f"{path}/{name}", "w") as file:
                file.write(f"{name}, version {version}\n")
            os.chmod(f"{path}/{name}", mode)
        run(*git, "add", ".")
        run(*git, "commit", "-q", "-m", version)
        run(*git, "tag", version)
    run(*git, "checkout", "-q", "one")
    return path


def make_archive(path, repository):
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:

        def add(name, uid, gid, mode, kind=tarfile.REGTYPE, content=b"", **fields):
            entry = tarfile.TarInfo("./" + name)
            entry.uid, entry.gid, entry.mode, entry.type, entry.size = uid, gid, mode, kind, len(content)
            for field, value in fields.items():
                setattr(entry, field, value)
            archive.addfile(entry, io.BytesIO(content))

        for name, (uid, gid, mode) in sorted(DIRECTORIES.items()):
            add(name, uid, gid, mode, tarfile.DIRTYPE)
        for name, (uid, gid, mode, content) in FILES.items():
            headers = {}
            if name in CAPABILITIES:
                headers["SCHILY.xattr." + CAPABILITY] = NET_RAW.decode("utf-8", "surrogateescape")
            add(name, uid, gid, mode, content=content.encode(), pax_headers=headers)
        kinds = {"char": tarfile.CHRTYPE, "block": tarfile.BLKTYPE, "pipe": tarfile.FIFOTYPE}
        for name, (uid, gid, mode, kind, major, minor) in SPECIALS.items():
            add(name, uid, gid, mode, kinds[kind], devmajor=major, devminor=minor)
        for name, (uid, gid, target) in LINKS.items():
            add(name, uid, gid, 0o777, tarfile.SYMTYPE, linkname=target)

        def in_repository(entry):
            """The working files belong to www-data; .git is the developer's matter, here root's."""
            inside = entry.name.removeprefix("./srv/repository").lstrip("/")
            entry.uid = entry.gid = 33 if inside and not inside.startswith(".git") else 0
            entry.mode &= 0o7777
            kind = "directory" if entry.isdir() else "file"
            model[f"srv/repository/{inside}".rstrip("/")] = line(entry.uid, entry.gid, entry.mode, kind)
            return entry

        archive.add(repository, "./srv/repository", filter=in_repository)


def line(uid, gid, mode, kind):
    return f"{uid}:{gid} {mode:o} {kind}"


model = {}
for name, (uid, gid, mode) in DIRECTORIES.items():
    model[name] = line(uid, gid, mode, "directory")
for name, (uid, gid, mode, _) in FILES.items():
    model[name] = line(uid, gid, mode, "file")
for name, (uid, gid, mode, kind, major, minor) in SPECIALS.items():
    model[name] = line(uid, gid, mode, kind if kind == "pipe" else f"{kind} {major}:{minor}")
for name, (uid, gid, _) in LINKS.items():
    model[name] = line(uid, gid, 0o777, "symlink")
capabilities = set(CAPABILITIES)
known_differences = set()


def host_line(path):
    """What an unlabelled file shows."""
    status = os.lstat(at(path))
    kind = "directory" if stat.S_ISDIR(status.st_mode) else "symlink" if stat.S_ISLNK(status.st_mode) else "file"
    return line(0, 0, stat.S_IMODE(status.st_mode), kind)


def differences():
    """Where the board's view of the whole tree is not the model's."""
    found = set()
    present = set()
    todo = [""]
    while todo:
        path = todo.pop()
        present.add(path)
        status = client.status(path)
        have, want = p9.seen(status), model.get(path) or host_line(path)
        if have != want:
            found.add(f"/{path}: {have}, not {want}")
        if stat.S_ISDIR(status.mode):
            for name, kind in client.names(path).items():
                child = f"{path}/{name}" if path else name
                todo.append(child)
                listed = stat.S_IFMT(client.status(child).mode) >> 12
                if kind != listed:
                    found.add(f"/{child}: listed with type {kind}, not {listed}")
        elif stat.S_ISREG(status.mode):
            capability = client.get_xattr(path, CAPABILITY)
            if (capability == NET_RAW) != (path in capabilities) or capability not in (None, NET_RAW):
                found.add(f"/{path}: capability {capability}, wanted {path in capabilities}")
            with open(at(path), "rb") as file:
                if client.read(path) != file.read():
                    found.add(f"/{path}: other content than the host's")
    found.update(f"/{path}: is not there" for path in model if path not in present)
    host = {os.path.relpath(os.path.join(parent, name), tree) for parent, some, more in os.walk(tree) for name in some + more}
    for path in (host ^ (present - {""})):
        if ".usb9pfs-new." not in path:
            found.add(f"/{path}: " + ("only on the host" if path in host else "only on the board"))
    return found


def step(name, edit):
    """One edit; what was wrong before is not told twice."""
    trouble = []
    try:
        edit()
    except (AssertionError, OSError) as error:
        trouble.append(f"{type(error).__name__}: {error}")
    now = differences()
    trouble += sorted(now - known_differences)
    known_differences.clear()
    known_differences.update(now)
    check(f"{file_system}: {name}", not trouble, trouble)


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


# The edits


def forget(path):
    """The model's row of a path and of all below it."""
    for other in [other for other in model if other == path or other.startswith(path + "/")]:
        del model[other]
        capabilities.discard(other)


def move(old, new):
    forget(new)
    for path in [path for path in model if path == old or path.startswith(old + "/")]:
        model[new + path[len(old) :]] = model.pop(path)


def save_by_rename():
    with client.walked("etc/conf") as held:
        write("etc/conf.new", "setting = renamed\n")
        os.rename(at("etc/conf.new"), at("etc/conf"))
        expect(client.read("etc/conf") == b"setting = renamed\n", "the board reads the old text")
        old = p9.seen(client.getattr(held))
        expect(old == model["etc/conf"], f"the fid of the replaced file shows {old}")
    write("bin/su.new", SCRIPT.format("su"))
    os.chmod(at("bin/su.new"), 0o755)
    os.rename(at("bin/su.new"), at("bin/su"))


def save_by_vim():
    for path in ("etc/conf", "etc/shadow", "home/user/notes"):
        before = os.lstat(at(path)).st_ino
        run(
            "vim.tiny", "-e", "-s", "-u", "NONE", "-c", "set backupcopy=no backup", "-c", "%s/.*/by vim/", "-c", "wq", at(path),
            env={**os.environ, "TERM": "dumb", "HOME": directory},
        )
        expect(client.read(path) == b"by vim\n", f"the board does not read what vim wrote to {path}")
        expect(os.lstat(at(path)).st_ino != before, f"vim did not replace {path}: this shows nothing")
        os.unlink(at(path + "~"))


def sed_in_place():
    for path in ("etc/conf", "etc/shadow", "var/log/auth", "home/user/secret"):
        run("sed", "-i", "s/.*/by sed/", at(path))


def sed_without_a_change():
    for path in ("bin/su", "bin/wall", "bin/ping"):
        run("sed", "-i", "s/not in there/x/", at(path))


def sed_of_programs():
    for path in ("bin/su", "bin/wall", "bin/ping"):
        run("sed", "-i", "s/this is/that is/", at(path))
    model["bin/su"] = line(0, 0, 0o755, "file")
    model["bin/wall"] = line(0, 5, 0o755, "file")
    capabilities.discard("bin/ping")


def rsync_into_it():
    source = os.path.join(directory, "source")
    os.makedirs(source + "/bin")
    os.makedirs(source + "/etc")
    for path in ("bin/passwd", "bin/write", "bin/mtr", "bin/tool"):
        shutil.copy(at(path), f"{source}/{path}")
    shutil.copy(at("etc/shadow"), f"{source}/etc/shadow")
    for path, text in (("etc/conf", "by rsync\n"), ("etc/new", "new\n")):
        with open(f"{source}/{path}", "w") as file:
            file.write(text)
    with open(f"{source}/bin/write", "a") as file:
        file.write("# changed\n")
    # Times of their own: rsync replaces every file.
    for path in ("bin/passwd", "bin/write", "bin/mtr", "bin/tool", "etc/shadow", "etc/conf"):
        os.utime(f"{source}/{path}", (1, 1))
    before = os.lstat(at("bin/passwd")).st_ino
    run("rsync", "-a", source + "/", tree + "/")
    expect(os.lstat(at("bin/passwd")).st_ino != before, "rsync did not replace the file: this shows nothing")
    model["bin/write"] = line(0, 5, 0o755, "file")
    # rsync -a gives the source's mode to the directory that it copies, too.
    os.chmod(tree, 0o755)


def git_checkout():
    repository = at("srv/repository")
    before = os.lstat(repository + "/page").st_ino
    run("git", "-C", repository, "checkout", "-q", "two")
    expect(os.lstat(repository + "/page").st_ino != before or file_system == "ext4", "git did not replace the file")
    expect(client.read("srv/repository/dir/page") == b"dir/page, version two\n", "the board reads the old version")


def git_checkout_back():
    run("git", "-C", at("srv/repository"), "checkout", "-q", "one")
    expect(client.read("srv/repository/dir/page") == b"dir/page, version one\n", "the board reads the old version")
    expect(run("git", "-C", at("srv/repository"), "status", "--porcelain") == "", "git sees changes")


def copy_over_and_beside():
    run("cp", at("etc/plain"), at("etc/conf"))
    run("cp", at("etc/shadow"), at("etc/shadow.copy"))
    run("cp", at("bin/passwd"), at("bin/copy"))
    expect(client.read("etc/conf") == b"old\n", "the board reads the old text")


def copy_with_attributes():
    run("cp", "-a", at("etc/shadow"), at("etc/shadow.archive"))
    run("cp", "-a", at("home/user"), at("home/copy"))
    run("cp", "-a", at("dev/sda"), at("dev/sdb"))
    if has_xattrs:
        model["etc/shadow.archive"] = model["etc/shadow"]
        model["dev/sdb"] = model["dev/sda"]
        for path in [path for path in model if path == "home/user" or path.startswith("home/user/")]:
            # A symbolic link can't carry its owner along.
            if not model[path].endswith("symlink"):
                model["home/copy" + path.removeprefix("home/user")] = model[path]


def remove_and_make_again():
    run("rm", "-r", at("var/log"))
    expect(not client.exists("var/log"), "the board sees a removed directory")
    os.mkdir(at("var/log"))
    write("var/log/auth", "again\n")
    write("var/log/other", "not the import's\n")
    run("rm", at("dev/null"), at("var/lock"), at("etc/mtab"))
    write("dev/null", "")
    os.symlink("/run/lock", at("var/lock"))
    os.symlink("elsewhere", at("etc/mtab"))
    run("rm", at("bin/passwd"))
    write("bin/passwd", "another program\n")
    os.chmod(at("bin/passwd"), 0o755)
    model["bin/passwd"] = line(0, 0, 0o755, "file")


def text_in_a_device():
    write("dev/zero", "text\n")
    model["dev/zero"] = line(0, 0, 0o666, "file")


def rename_directory():
    os.rename(at("home/user"), at("home/moved"))
    move("home/user", "home/moved")
    expect(client.read("home/moved/notes") == b"by vim\n", "the board does not read the moved file")


def hard_link():
    os.link(at("etc/shadow"), at("etc/shadow.link"))
    os.link(at("home/moved/link"), at("home/moved/link2"), follow_symlinks=False)
    model["etc/shadow.link"] = model["etc/shadow"]
    model["home/moved/link2"] = model["home/moved/link"]
    expect(client.status("etc/shadow.link").links == 2, "the board does not count two links")
    expect(client.status("etc/shadow").inode == client.status("etc/shadow.link").inode, "two inodes")


def chmod_is_adopted():
    for path, mode in (
        ("etc/conf", 0o640),
        ("etc/plain", 0o755),
        ("home/moved", 0o711),
        ("home/moved/notes", 0o444),
        ("dev/fifo", 0o666),
        ("bin/tool", 0o700),
        ("var/log", 0o755),
        ("tmp", 0o755),
    ):
        with client.walked(path) as held:
            before = client.getattr(held)
            os.chmod(at(path), mode)
            after = client.getattr(held)
            # A label's setuid and setgid bits are not the host's to say, nor a file's sticky bit; a directory's is.
            is_directory = before.mode & 0o170000 == 0o40000
            want = mode | before.mode & (0o6000 if is_directory else 0o7000)
            expect(after.mode & 0o7777 == want, f"{path}: mode {after.mode & 0o7777:o} after chmod {mode:o}")
            model[path] = line(before.uid, before.gid, want, p9.kind_of(after))


def chmod_to_nothing():
    """A file that its owner can't read any more is still read by the board's root."""
    text = client.read("etc/shadow")
    os.chmod(at("etc/shadow"), 0)
    model["etc/shadow"] = model["etc/shadow.link"] = line(0, 42, 0, "file")
    expect(p9.seen(client.status("etc/shadow")) == model["etc/shadow"], p9.seen(client.status("etc/shadow")))
    expect(client.read("etc/shadow") == text, "the board's root does not read it")


def chmod_from_the_board_after_the_host():
    os.chmod(at("etc/conf"), 0o604)
    client.change("etc/conf", uid=5)
    model["etc/conf"] = line(5, 101, 0o604, "file")
    os.chmod(at("etc/conf"), 0o600)
    client.change("etc/conf", mode=0o4711)
    model["etc/conf"] = line(5, 101, 0o4711, "file")


def swap_by_renames():
    os.rename(at("home/moved/notes"), at("home/moved/aside"))
    os.rename(at("home/moved/secret"), at("home/moved/notes"))
    os.rename(at("home/moved/aside"), at("home/moved/secret"))
    notes, secret = model["home/moved/notes"], model["home/moved/secret"]
    model["home/moved/notes"], model["home/moved/secret"] = secret, notes


def move_the_tree():
    global tree
    new = tree + "-moved"
    os.rename(tree, new)
    tree = new
    client.mkdir("srv/made-after-the-move", 0o700)
    expect(os.path.isdir(at("srv/made-after-the-move")), "the directory is not in the moved tree")
    client.symlink("srv/link-after-the-move", "x", gid=44)
    client.change("srv/link-after-the-move", uid=43, gid=44)
    model["srv/made-after-the-move"] = line(0, 0, 0o700, "directory")
    model["srv/link-after-the-move"] = line(43, 44, 0o777, "symlink")


def serve_again():
    """What was kept, xattrs and database, is found by a new server at the tree's new name."""
    global server, client
    client.close()
    code = server.stop()
    said = [text for text in server.said if "warning" not in text]
    server = p9.Server(program, tree)
    client = p9.Client(server.port)
    expect(code == 0, f"the server ended with exit code {code}")
    expect(not [text for text in said if "error" in text], f"the server said {said}")


def reuse(make, label, kind):
    """Deletes labelled files and makes others until one gets an inode number again, which must show no label."""
    wanted = set()
    for number in range(20):
        path = f"reuse/old{number}"
        make(path)
        client.change(path, **label)
        expect(p9.seen(client.status(path)).split()[0] == "77:78", f"{path}: {p9.seen(client.status(path))}")
        wanted.add(os.lstat(at(path)).st_ino)
    for number in range(20):
        os.unlink(at(f"reuse/old{number}"))
    hits = 0
    for number in range(REUSE_LIMIT):
        path = f"reuse/new{number}"
        make(path)
        if os.lstat(at(path)).st_ino in wanted:
            hits += 1
            have, want = p9.seen(client.status(path)), host_line(path)
            expect(have == want, f"{path}, with a used inode number, shows {have}, not {want}")
        if hits == 20:
            break
    print(f"    # {file_system}: {hits} of 20 inode numbers of deleted {kind} came back in {number + 1} files")
    expect(hits > 0 or file_system != "ext4", "ext4 gave no inode number again: this shows nothing")
    for name in os.listdir(at("reuse")):
        os.unlink(at("reuse/" + name))


def inode_reuse_of_files():
    reuse(lambda path: write(path, ""), {"uid": 77, "gid": 78, "mode": 0o4755}, "files")


def inode_reuse_of_symlinks():
    reuse(lambda path: os.symlink("target", at(path)), {"uid": 77, "gid": 78}, "symbolic links")


def inode_reuse_across_kinds():
    """The row of a symbolic link must not land on a file, nor a device's on a text."""
    def make(path):
        if path.startswith("reuse/old"):
            os.symlink("target", at(path))
        else:
            write(path, "")

    reuse(make, {"uid": 77, "gid": 78}, "symbolic links, now files,")


repository = make_repository()
archive = os.path.join(directory, "archive.tar")
make_archive(archive, repository)
shutil.rmtree(repository)
run(program, "import", "--quiet", archive, tree)
server = p9.Server(program, tree)
client = p9.Client(server.port)
try:
    step("the imported tree is what the archive says", lambda: None)
    step("an editor that saves by renaming", save_by_rename)
    step("vim", save_by_vim)
    step("sed -i", sed_in_place)
    step("sed -i that changes nothing leaves setuid bits and capabilities", sed_without_a_change)
    step("sed -i of a program takes its setuid bit and capabilities", sed_of_programs)
    step("rsync -a into it", rsync_into_it)
    step("git checkout", git_checkout)
    step("git checkout back", git_checkout_back)
    step("cp over a file and to a new one", copy_over_and_beside)
    step("cp -a", copy_with_attributes)
    step("rm -r, and made again", remove_and_make_again)
    step("text written into a device's file", text_in_a_device)
    step("a directory is renamed", rename_directory)
    step("ln", hard_link)
    step("chmod is adopted", chmod_is_adopted)
    step("chmod 000", chmod_to_nothing)
    step("chmod on the host, then chown and chmod on the board", chmod_from_the_board_after_the_host)
    step("two files change names", swap_by_renames)
    step("inode numbers of labelled files come back", inode_reuse_of_files)
    step("inode numbers of symbolic links with an owner come back", inode_reuse_of_symlinks)
    step("inode numbers of symbolic links with an owner come back as files", inode_reuse_across_kinds)
    step("the tree is moved beneath the server", move_the_tree)
    step("the moved tree is served again", serve_again)
finally:
    client.close()
    server.stop()
    shutil.rmtree(tree)
finish()
