"""What import and labels cost, in pairs: import_speed.py P9SERVE DIRECTORY DEBIAN.tar.

Works in DIRECTORY, as the user who runs it. Both sides of a pair run one after the other, in changing order, and medians are
compared; one that is over its limit is measured up to twice more, since other programs run too.
"""

import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import time

import p9
from checks import check, finish

program, directory, debian = sys.argv[1:]
MAX_MEMORY = 64 * 1024  # KiB


def remove(path):
    if os.path.lexists(path):
        subprocess.run(["rm", "-rf", path], check=True)


def compare(pairs, first, second):
    """Medians of two measurements, which take turns."""
    results = ([], [])
    for number in range(pairs):
        for side in (0, 1) if number % 2 else (1, 0):
            results[side].append((first, second)[side]())
    return statistics.median(results[0]), statistics.median(results[1])


def judge(name, limit, pairs, first, second, unit, factor):
    ratios = []
    for _ in range(3):
        one, other = compare(pairs, first, second)
        ratios.append(one / other)
        print(f"    # {name}: {one * factor:.2f} {unit} against {other * factor:.2f} {unit}, medians of {pairs} pairs")
        if ratios[-1] <= limit:
            break
    check(f"{name}: " + ", then ".join(f"{ratio:.2f}x" for ratio in ratios) + f", at most {limit}x", ratios[-1] <= limit)


# Import against tar


def timed(command, target, **options):
    """Seconds that a command took to make `target`, which goes away again, mostly before the disk has seen it."""
    start = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, **options)
    seconds = time.monotonic() - start
    # tar complains of the device nodes that it can't make.
    if not os.path.isdir(f"{target}/usr") or (done.returncode != 0 and command[0] == program):
        sys.exit(f"{command}: exit code {done.returncode}: {done.stderr.decode()}")
    remove(target)
    return seconds


def p9serve_import():
    # tar does not wait for the disk either.
    return timed([program, "import", "--quiet", "--no-sync", debian, f"{directory}/imported"], f"{directory}/imported")


def tar_extract():
    os.mkdir(f"{directory}/extracted")
    return timed(
        ["tar", "-x", "--no-same-owner", "-C", f"{directory}/extracted", "-f", debian], f"{directory}/extracted"
    )


# Memory


def peak_of_import(archive, **options):
    """KiB that an import needed at most, the file system's cache aside."""
    target = f"{directory}/imported"
    process = subprocess.Popen([program, "import", "--quiet", archive, target], stderr=subprocess.PIPE, **options)
    said = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"import of {archive}: exit code {process.returncode}: {said}")
    return usage.ru_maxrss, target


def judge_memory(name, archive, look, **options):
    start = time.monotonic()
    peak, target = peak_of_import(archive, **options)
    seconds = time.monotonic() - start
    trouble = look(target)
    remove(target)
    check(f"import of {name} takes {peak / 1024:.1f} MiB at most, less than 64 ({seconds:.1f} s){trouble}", peak < MAX_MEMORY and not trouble)


def large_file(path, sparse):
    """An archive with a file of 2 GiB, all zero."""
    name = f"{directory}/zeros"
    with open(name, "wb") as file:
        file.truncate(1 << 31)
    tar = ["tar", "-C", directory, "--zstd", "-cf", path] + (["--sparse"] if sparse else []) + ["zeros"]
    subprocess.run(tar, check=True, env={**os.environ, "ZSTD_CLEVEL": "1"})
    os.unlink(name)


def has_large_file(target):
    size = os.stat(f"{target}/zeros").st_size
    return "" if size == 1 << 31 else f": but the file has {size} bytes"


def many_entries(stream, count):
    """An archive of so many empty files, every tenth with an owner; tarfile would take a minute."""

    def header(name, kind, uid):
        fields = (name, b"0000644", b"%07o" % uid, b"0000000", b"00000000000", b"14000000000", b" " * 8, kind)
        block = struct.pack("100s8s8s8s12s12s8sc100s6s2s247x", *fields, b"", b"ustar\0", b"00")
        return block[:148] + b"%06o\0 " % sum(block) + block[156:]

    for number in range(count):
        if number % 1000 == 0:
            stream.write(header(b"d%d" % (number // 1000), b"5", 0))
        stream.write(header(b"d%d/file-with-a-name-of-some-length-%d" % (number // 1000, number), b"0", number % 10 == 0))
    stream.write(bytes(1024))


def has_many_entries(target):
    count = sum(len(os.listdir(f"{target}/{name}")) for name in os.listdir(target))
    return "" if count == 200000 else f": but {count} files"


# Getattr


class Getattr:
    """So many Tgetattr in flight that it is the server that takes the time."""

    REPLY = 160

    def __init__(self, client, paths):
        self.client = client
        # Labels are in inodes and caches of all kinds: one file tells little.
        fids = [client.walk(path) for path in paths]
        self.batches = []
        for start in range(0, len(fids), 50):
            part = fids[start : start + 50]
            frames = [p9.frame(*p9.Tgetattr(fid, 0x17FF), tag) for tag, fid in enumerate(part)]
            self.batches.append((b"".join(frames), len(part) * self.REPLY))

    def seconds(self):
        """Of one, in the mean of 40,000."""
        connection = self.client.connection
        start = time.perf_counter()
        count = 0
        while count < 40000:
            for frames, size in self.batches:
                connection.sendall(frames)
                while size > 0:
                    part = len(connection.recv(size, socket.MSG_WAITALL))
                    if part == 0:
                        raise p9.Gone
                    size -= part
                count += 50
        return (time.perf_counter() - start) / count


def judge_getattr():
    tree = f"{directory}/tree"
    os.makedirs(tree)
    for number in range(1000):
        with open(f"{tree}/plain{number}", "w"), open(f"{tree}/labelled{number}", "w"):
            pass
    server = p9.Server(program, tree)
    client = p9.Client(server.port)
    for number in range(1000):
        client.change(f"labelled{number}", uid=1000, gid=1000, mode=0o4755)
    if p9.seen(client.status("labelled7")) != "1000:1000 4755 file" or p9.seen(client.status("plain7"))[:4] != "0:0 ":
        sys.exit("the labels are not what they should be")
    time.sleep(0.1)  # a file that has just been changed is not cached
    plain = Getattr(client, [f"plain{number}" for number in range(1000)])
    labelled = Getattr(client, [f"labelled{number}" for number in range(1000)])
    judge("getattr of a labelled file against an unlabelled one", 1.2, 7, labelled.seconds, plain.seconds, "µs", 1e6)
    one = Getattr(client, ["plain7"] * 50)
    other = Getattr(client, ["labelled7"] * 50)
    judge("getattr of one labelled file against an unlabelled one", 1.2, 7, other.seconds, one.seconds, "µs", 1e6)
    client.close()
    server.stop()
    shutil.rmtree(tree)


judge_getattr()
tar_extract()  # the archive is in memory from here on
judge("import of Debian against tar -x", 1.3, 5, p9serve_import, tar_extract, "s", 1)
judge_memory("Debian", debian, lambda target: "" if os.path.isdir(f"{target}/etc") else ": but it is not there")
for kind in ("zeros", "holes"):
    archive = f"{directory}/{kind}.tar.zst"
    large_file(archive, kind == "holes")
    judge_memory(f"2 GiB of {kind}", archive, has_large_file)
    os.unlink(archive)
with open(f"{directory}/many.tar", "wb") as stream:
    many_entries(stream, 200000)
judge_memory("200,000 files", f"{directory}/many.tar", has_many_entries)
finish()
