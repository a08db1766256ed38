"""Mutated archives, images and 9P messages; see fuzz.sh.

usage: fuzz.py P9SERVE DIRECTORY FRAMES SECONDS SEED
"""

import io
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import time

import p9
from checks import check, finish

program, directory, frames, seconds, seed = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
work = pathlib.Path(directory)
rng = random.Random(seed)
print(f"# seed {seed}", flush=True)


def mutated(data, boundaries=512):
    """A copy with something wrong: bits, bytes, numbers, pieces left out, doubled, moved or cut."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not data:
            break
        # What is at the beginning of a block is a header more often than not.
        at = rng.randrange(len(data))
        if rng.random() < 0.5:
            at = min(len(data) - 1, at // boundaries * boundaries + rng.randrange(min(boundaries, 160)))
        kind = rng.randrange(8)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice((0, 1, 0x2E, 0x2F, 0x30, 0x37, 0x38, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 2:
            number = rng.choice((0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, rng.randrange(1 << 32)))
            data[at : at + 4] = struct.pack(rng.choice("<>") + "I", number)[: len(data) - at]
        elif kind == 3:
            del data[at : at + rng.randrange(1, 2 * boundaries)]
        elif kind == 4:
            length = rng.randrange(1, 2 * boundaries)
            data[at:at] = data[at : at + length]
        elif kind == 5:
            del data[at:]
        elif kind == 6:
            other = rng.randrange(len(data))
            data[at : at + 64] = data[other : other + 64]
        else:
            text = rng.choice((b"..", b"/", b"../../x", b"\0", b"99999999999", b"-1", b"%n%s", b"\x1b[2J", b".wh.", b"usr/"))
            data[at : at + len(text)] = text
    return bytes(data)


# Archives and images


def corpus():
    """What archives are made of, in many formats; (name, bytes)."""
    tree = work / "corpus"
    (tree / "dir/deep").mkdir(parents=True)
    (tree / "file").write_bytes(b"text\n" * 100)
    (tree / "dir/deep" / ("long" * 30)).write_bytes(rng.randbytes(3000))
    with open(tree / "sparse", "wb") as sparse:
        for place in (0, 1 << 20, 3 << 20):
            sparse.seek(place)
            sparse.write(b"data")
    os.link(tree / "file", tree / "dir/link")
    os.symlink("usr/lib", tree / "lib")
    os.setxattr(tree / "file", "user.name", b"value")
    os.mkfifo(tree / "pipe")
    found = []

    def made(name, *command, stdin=None):
        # v7 has no long names, no FIFOs: the others are in it all the same.
        done = subprocess.run(command, cwd=tree, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert len(done.stdout) > 500, f"{command}: exit code {done.returncode}"
        found.append((name, done.stdout))

    for form in ("v7", "oldgnu", "gnu", "ustar", "posix"):
        made(f"tar-{form}", "tar", *(["--sparse"] if form in ("oldgnu", "gnu", "posix") else []), f"--format={form}", "-cf", "-", ".")
    made("tar-xattrs", "tar", "--xattrs", "--format=posix", "-cf", "-", ".")
    for form in ("newc", "odc", "bin", "ustar", "pax"):
        made(f"bsdtar-{form}", "bsdtar", "--format", form, "-cf", "-", "dir", "file", "lib")
    for name in ("gzip", "xz", "zstd", "bzip2"):
        with open(work / "plain.tar", "wb") as plain:
            plain.write(dict(found)["tar-gnu"])
        made(f"tar-{name}", name, "-c", stdin=open(work / "plain.tar", "rb"))
    for kind in ("oci-archive", "ext4", "squashfs"):
        target = work / f"target.{ {'oci-archive': 'oci.tar'}.get(kind, kind)}"
        options = ["--compress", "none", "--platform", "linux/arm64"] if kind == "oci-archive" else []
        subprocess.run([program, "export", "--quiet", *options, tree, target], check=True, stderr=subprocess.DEVNULL)
        found.append((kind, target.read_bytes()))
    # Layers with whiteouts, as tar archives by themselves.
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("dir/.wh.deep", "dir/.wh..wh..opq", ".wh.file"):
            archive.addfile(tarfile.TarInfo(name))
    found.append(("whiteouts", layer.getvalue()))
    shutil.rmtree(tree)
    return found


def imports():
    """Each ends soon, with exit code 0, or one of those of refusals and one line; nothing is left of what was refused."""
    victim = work / "victim"
    victim.mkdir()
    (victim / "kept").write_text("kept")
    inputs = corpus()
    there = sorted(os.listdir(work)) + ["input"]
    count, kept, bad = 0, 0, []
    until = time.monotonic() + seconds
    while time.monotonic() < until and not bad:
        name, data = rng.choice(inputs)
        source = work / "input"
        source.write_bytes(mutated(data))
        command = [program, "import", "--quiet", "--no-sync", "--max-size", "1G", "--max-entries", "100000", source, work / "new"]
        began = time.monotonic()
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
            code, said = done.returncode, done.stderr
        except subprocess.TimeoutExpired:
            code, said = "none within a minute", b""
        count += 1
        if code == 0:
            kept += 1
            shutil.rmtree(work / "new")
            (work / ".new.usb9pfs.db").unlink(missing_ok=True)
        elif code not in (1, 64) or not said.startswith(b"p9serve: "):
            bad.append(f"{name}: exit code {code}, {time.monotonic() - began:.1f} s: {said[:300]!r}")
        if b"\x1b" in said:
            bad.append(f"{name}: an escape on the terminal: {said[:300]!r}")
        left = sorted(set(os.listdir(work)) - set(there))
        if left:
            bad.append(f"{name}: left behind: {left}")
        if bad:
            shutil.copy(source, f"/var/tmp/usb9pfs-fuzz-{seed}-{count}")
            bad.append(f"the input is /var/tmp/usb9pfs-fuzz-{seed}-{count}")
    if (victim / "kept").read_text() != "kept" or os.listdir(victim) != ["kept"]:
        bad.append("something was written outside")
    check(f"{count} damaged archives and images, {kept} of them imported", not bad, bad)


# Messages


def requests():
    found = []
    for file in sorted(pathlib.Path(frames).glob("*-T*.hex")):
        text = "".join(line for line in file.read_text().splitlines() if not line.startswith("#"))
        found.append(bytes.fromhex(text))
    return found


def sized(frame):
    return struct.pack("<I", max(7, len(frame))) + frame[4:].ljust(3, b"\0")


def messages():
    """A hostile session sends recorded and damaged messages; another one goes on, and the server keeps its size."""
    tree = work / "tree"
    tree.mkdir()
    (tree / "file").write_text("text")
    (work / "secret").write_text("secret")
    server = p9.Server(program, str(tree))
    good = p9.Client(server.port, timeout=30)
    recorded = requests()
    count, connections, bad, size = 0, 0, [], None
    until = time.monotonic() + seconds
    while time.monotonic() < until and not bad:
        connections += 1
        hostile = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        try:
            hostile.sendall(p9.frame(*p9.Tversion(65536), p9.NOTAG))
            hostile.sendall(p9.frame(*p9.Tattach(0)))
            batch = []
            for _ in range(rng.randrange(1, 60)):
                frame = rng.choice(recorded)
                roll = rng.random()
                if roll < 0.6:
                    frame = sized(mutated(frame, 16))
                elif roll < 0.7:
                    frame = mutated(frame, 16)
                # Fids that there are, more often than not.
                if len(frame) >= 11 and rng.random() < 0.5:
                    frame = frame[:7] + struct.pack("<I", rng.randrange(4)) + frame[11:]
                batch.append(frame)
            hostile.sendall(b"".join(batch))
            hostile.shutdown(socket.SHUT_WR)
            while hostile.recv(1 << 16):
                pass
            count += len(batch)
        except (ConnectionError, BrokenPipeError):
            pass
        except TimeoutError:
            bad.append("a connection that has sent all it will is not ended")
        hostile.close()
        try:
            (tree / "file").write_text("text")
            with good.walked("file") as fid:
                if good.getattr(fid).size != 4:
                    bad.append("another session sees another size")
        except (OSError, p9.Gone) as error:
            bad.append(f"another session: {error!r}")
        if server.process.poll() is not None:
            bad.append(f"the server ended with {server.process.returncode}: {server.said[-5:]}")
        elif connections == 200:
            size = server.resident()
        if connections % 500 == 0:
            for name in os.listdir(tree):
                path = tree / name
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    grown = server.resident() - size if size and server.process.poll() is None else 0
    if grown > 32 << 10:
        bad.append(f"the server has grown by {grown} KiB")
    if (work / "secret").read_text() != "secret":
        bad.append("a file outside was changed")
    try:
        good.close()
        code = server.stop()
        if code not in (0, 128 + signal.SIGTERM, 130):
            bad.append(f"the server ended with {code}")
    except OSError as error:
        bad.append(repr(error))
    check(f"{count} messages over {connections} connections; the server has grown by {grown} KiB", not bad, bad)


imports()
messages()
finish()
