"""Progress on a terminal, and Ctrl-C in every phase; see progress.sh. Arguments: p9serve, a directory to work in."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time

from checks import check, finish

program, work = sys.argv[1:]
os.chdir(work)
# A process is asked to end within a second; the machine may be busy with other tests.
LIMIT = 1.0 + 0.5 * (os.getloadavg()[0] / os.cpu_count() > 1.5)


class Run:
    """A command on a terminal of its own; `text` is all that it wrote, `times` when."""

    def __init__(self, arguments, columns=80, stdin=None, stdout=None):
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.text, self.times, self.columns = "", [], columns

        def lead():
            os.setsid()
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [program, *arguments], stdin=theirs if stdin is None else stdin,
            stdout=theirs if stdout is None else stdout, stderr=theirs, preexec_fn=lead
        )
        os.close(theirs)
        self.thread = threading.Thread(target=self.collect)
        self.thread.start()

    def collect(self):
        while True:
            try:
                data = os.read(self.ours, 65536)
            except OSError:
                return
            if not data:
                return
            self.times.append((time.monotonic(), data.decode()))
            self.text += data.decode()

    def wait_for(self, what, seconds=60):
        end = time.monotonic() + seconds
        while not re.search(what, self.text):
            if time.monotonic() > end or self.process.poll() is not None:
                return False
            time.sleep(0.02)
        return True

    def interrupt(self):
        """Ctrl-C; returns the seconds that the process took to end."""
        start = time.monotonic()
        os.write(self.ours, b"\x03")
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        seconds = time.monotonic() - start
        self.end()
        return seconds

    def end(self):
        self.process.wait()
        self.thread.join()
        os.close(self.ours)

    def lines(self):
        """The states of the line that stands."""
        parts = [part.replace("\x1b[K", "").replace("^C", "") for part in self.text.split("\r") if "\x1b[K" in part]
        return [part for part in parts if part and not part.startswith("p9serve")] or [""]


def interrupted(name, run, seconds, left):
    code = run.process.returncode
    good = code == 130 and seconds <= LIMIT and not left
    check(f"Ctrl-C while {name}: at an end within a second, nothing left", good,
          f"code {code}, {seconds:.1f} s, left {left}: {run.text[-300:]!r}")
    rest = run.text.rsplit("\x1b[K", 1)[-1].replace("^C", "")
    check(f"... {name}: the progress line is gone", not re.search(r"left|entries|files", rest), repr(rest))


def leftovers(*known):
    return sorted(set(os.listdir(".")) - set(known) - START)


# Slow to compress: no repetitions, and not incompressible.
os.mkdir("tree")
with open("/dev/urandom", "rb") as random, open("tree/data", "wb") as data:
    for _ in range(70):
        data.write(random.read(500_000).hex().encode())
for index in range(300):
    with open(f"tree/{index}", "w") as file:
        file.write(str(index))
START = set(os.listdir("."))

# What stands there at 80 and at 40 columns.
for columns in (80, 40, 20):
    run = Run(["export", "tree", "new.tar.xz", "--level", "6"], columns)
    run.wait_for(r"\d+%, .*left")
    time.sleep(3)
    seconds = run.interrupt()
    lines = run.lines()
    check(f"at {columns} columns no line is too long", max(map(len, lines)) < columns, max(lines, key=len))
    shown = [line for line in lines if re.search(r"\d+%, \d+ (s|min \d+ s|h \d+ min) left", line)]
    check(f"... percentage and time left are whole", len(shown) >= len(lines) / 2, f"{lines[-3:]}")
    if columns == 80:
        states = sorted({line for line in lines})
        check("xz: the progress moves while blocks are compressed", len(states) >= 10, f"{states}")
        gaps = [late[0] - early[0] for early, late in zip(run.times, run.times[1:])]
        check("... at least once a second", max(gaps) < 1 + LIMIT, f"{max(gaps):.1f} s")
        percents = [int(m) for m in re.findall(r"(\d+)%", run.text)]
        check("... and does not run ahead of the compressor", max(percents) < 95, f"{percents[-1]}%")
    interrupted(f"exporting to xz at {columns} columns", run, seconds, leftovers())

# In the middle, and when all is read.
for name, target, *options in (
    ("exporting to xz -9", "new.tar.xz", "--level", "9"),
    ("exporting to zstd -19", "new.tar.zst", "--level", "19"),
    ("exporting to bzip2", "new.tar.bz2", "--level", "9"),
    ("exporting to squashfs by xz", "new.squashfs", "--compress", "xz"),
    ("exporting to an OCI archive by zstd", "new.oci.tar", "--platform", "linux/arm64", "--compress", "zstd", "--level", "19"),
):
    run = Run(["export", "tree", target, *options])
    run.wait_for(r"\d+%|entries")
    time.sleep(1.5)
    interrupted(name, run, run.interrupt(), leftovers())

os.mkdir("small")
with open("small/data", "wb") as data, open("tree/data", "rb") as source:
    data.write(source.read(30_000_000))
run = Run(["export", "small", "new.tar.xz"])
check("the compressor's last part is shown", run.wait_for(r"left, compressing the rest"), repr(run.text[-200:]))
interrupted("compressing the last part", run, run.interrupt(), leftovers("small"))

# A reader that reads nothing.
ours, theirs = os.pipe()
run = Run(["export", "tree", "-"], stdout=theirs)
os.close(theirs)
time.sleep(1)
interrupted("exporting to a pipe that nobody reads", run, run.interrupt(), leftovers("small"))
os.close(ours)

# Trees of many files.
os.mkdir("many")
for directory in range(60):
    os.mkdir(f"many/{directory}")
    for index in range(500):
        os.close(os.open(f"many/{directory}/{index}", os.O_CREAT | os.O_WRONLY))

# Import: from a file, and from a pipe that brings nothing.
subprocess.run(["tar", "-cf", "big.tar", "many"], check=True)
run = Run(["import", "big.tar", "new"])
run.wait_for(r"entries", 5)
interrupted("importing", run, run.interrupt(), leftovers("small", "many", "big.tar"))
ours, theirs = os.pipe()
os.write(theirs, open("big.tar", "rb").read(20000))
run = Run(["import", "-", "new"], stdin=ours)
run.wait_for(r"entries", 5)
interrupted("importing from a pipe that brings nothing", run, run.interrupt(), leftovers("small", "many", "big.tar"))
os.close(ours)
os.close(theirs)
os.remove("big.tar")

for name, *arguments in (
    ("checking", "check", "--hash", "many"),
    ("converting a copy", "convert", "many", "--to", "rsync", "--output", "new"),
):
    run = Run(arguments)
    run.wait_for("files", 5)
    interrupted(name, run, run.interrupt(), leftovers("small", "many"))

finish()
