"""p9serve with a standard error that takes nothing; see blocked-terminal.sh. Arguments: the program, a directory to work in."""

import fcntl
import io
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import termios
import time

import p9
from checks import check, finish

program, work = sys.argv[1:]
os.chdir(work)
SETUID_FILES = 200
WRITES = {"x86_64": (1, 7), "aarch64": (64, 73)}[os.uname().machine]  # write, and poll or ppoll before it
servers = []


def until(happens):
    """Waits for an event; the check that follows says what did not happen."""
    deadline = time.time() + 20
    while not happens() and time.time() < deadline:
        time.sleep(0.02)


def is_writing(process):
    """Whether a thread of it is held up by a pipe that nobody reads."""
    for thread in os.listdir(f"/proc/{process.pid}/task"):
        try:
            with open(f"/proc/{process.pid}/task/{thread}/syscall") as file:
                if int(file.read().split()[0]) in WRITES:
                    return True
        except (OSError, IndexError, ValueError):
            pass
    return False


def pending(descriptor):
    """The bytes that can be read."""
    return struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))[0]


class FullPipe:
    """A pipe of one page that is full; nobody reads it before `release`."""

    name = "a full pipe"

    def __init__(self):
        self.ours, self.theirs = os.pipe()
        fcntl.fcntl(self.theirs, fcntl.F_SETPIPE_SZ, 4096)
        self.filling = os.write(self.theirs, bytes(4096))

    def release(self):
        pass

    def close_theirs(self):
        os.close(self.theirs)

    def read(self):
        data = os.read(self.ours, 65536)
        skipped, self.filling = min(self.filling, len(data)), max(0, self.filling - len(data))
        return data[skipped:]


class StoppedTerminal:
    """A terminal whose output is stopped, as by Ctrl-S."""

    name = "a stopped terminal"

    def __init__(self):
        self.ours, self.theirs = os.openpty()
        attributes = termios.tcgetattr(self.theirs)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(self.theirs, termios.TCSANOW, attributes)
        termios.tcflow(self.theirs, termios.TCOOFF)

    def release(self):
        termios.tcflow(self.theirs, termios.TCOON)

    def close_theirs(self):
        pass  # the last one that has it open would take what was written away

    def read(self):
        return os.read(self.ours, 65536)


def read_until(stream, pattern, seconds=20):
    """What comes out of a stream up to a pattern."""
    signal.alarm(seconds)
    text = b""
    while not re.search(pattern, text):
        text += stream.read()
    signal.alarm(0)
    return text.decode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, blocked, *options):
        self.port = free_port()
        self.process = subprocess.Popen(
            [program, "serve", "tree", "--listen", f"tcp://127.0.0.1:{self.port}", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=blocked.theirs,
        )
        blocked.close_theirs()
        servers.append(self.process)

    def client(self):
        deadline = time.time() + 20
        while True:
            try:
                return p9.Client(self.port, timeout=5)
            except ConnectionRefusedError:
                if time.time() > deadline:
                    raise
                time.sleep(0.02)

    def end(self, number):
        """The exit code and the seconds that it took; None if it did not end."""
        start = time.time()
        self.process.send_signal(number)
        try:
            return self.process.wait(10), time.time() - start
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None, time.time() - start


def ends(name, server, number=signal.SIGINT):
    code, seconds = server.end(number)
    check(f"{name}: {signal.Signals(number).name} ends it at once", code == 0 and seconds < 1.5, f"{code}, {seconds:.1f} s")


def requests(client, count):
    """Seconds for so many; None if one is not answered."""
    start = time.time()
    try:
        for _ in range(count):
            client.getattr(0)
    except TimeoutError:
        return None
    return time.time() - start


def make_tree():
    """A tree with setuid programs of an import that were replaced: each is worth a warning."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for number in range(SETUID_FILES):
            member = tarfile.TarInfo(f"program-{number}")
            member.mode, member.size = 0o4755, 4
            tar.addfile(member, io.BytesIO(b"old\n"))
    subprocess.run([program, "import", "-q", "-", "tree"], input=archive.getvalue(), check=True)
    replace_programs("new")


def replace_programs(content):
    for number in range(SETUID_FILES):
        with open("tree/new", "w") as file:
            file.write(f"{content} {number}\n")
        os.rename("tree/new", f"tree/program-{number}")


def trace(kind, number):
    """Messages of a trace, far more than may wait."""
    blocked = kind()
    server = Server(blocked, "-v")
    name = f"-v, {blocked.name}"
    one, other = server.client(), server.client()
    # A trace line has some 60 bytes, and a request two lines.
    for session, client in ("a session", one), ("another one", other):
        seconds = requests(client, 8000)
        check(f"{name}: {session} goes on", seconds is not None and seconds < 15, seconds)
    blocked.release()
    try:
        text = read_until(blocked, rb"messages were lost while standard error was blocked\n")
        # A client may be served before the server has said that it listens.
        first = [line for line in text.splitlines()[:8] if line.startswith("listening on ")]
        check(f"{name}: the first lines are there", first, text[:300])
        check(f"{name}: whole lines in order", in_order(text), text[-300:])
        one.walk("program-1")
        text = read_until(blocked, rb"program-1")
        check(f"{name}: what follows is told again", "lost" not in text, text[-300:])
    except OSError as error:
        check(f"{name}: it flows again", False, error)
    ends(f"{name}, again", server, number)


def in_order(text):
    """Whether each request of the trace is followed by its reply."""
    lines = [line for line in text.splitlines() if "getattr" in line]
    return len(lines) > 1000 and all(
        (line.startswith("-> Tgetattr") if index % 2 == 0 else line.startswith("<- Rgetattr"))
        for index, line in enumerate(lines)
    )


def warnings(kind, number):
    """Warnings of the tree, and of a client that breaks the protocol."""
    blocked = kind()
    server = Server(blocked)
    name = f"warnings, {blocked.name}"
    one, other = server.client(), server.client()
    try:
        for program_number in range(SETUID_FILES):
            one.status(f"program-{program_number}")
        check(f"{name}: a session goes on", True)
    except TimeoutError:
        check(f"{name}: a session goes on", False, "no answer")
    bad = socket.create_connection(("127.0.0.1", server.port))
    bad.settimeout(5)
    bad.sendall(struct.pack("<IBH", 3, 100, 1))
    try:
        check(f"{name}: a malformed frame ends its connection", bad.recv(1) == b"")
    except TimeoutError:
        check(f"{name}: a malformed frame ends its connection", False, "no end")
    check(f"{name}: another session goes on", requests(other, 100) is not None)
    ends(name, server, number)


def failing_import(kind, number):
    """The command's own end does not wait for ever, nor does a signal."""
    blocked = kind()
    process = subprocess.Popen([program, "import", "nothing.tar", "never"], stderr=blocked.theirs)
    blocked.close_theirs()
    try:
        check(f"a failing import, {blocked.name}: it ends", process.wait(15) == 3, process.returncode)
    except subprocess.TimeoutExpired:
        process.kill()
        check(f"a failing import, {blocked.name}: it ends", False, "it runs on")

    # Slow enough to show progress, which must not stop it.
    blocked = kind()
    ours, theirs = os.pipe()
    process = subprocess.Popen([program, "import", "-", "never"], stdin=ours, stderr=blocked.theirs)
    os.close(ours)
    blocked.close_theirs()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for entry in range(300):
            tar.addfile(tarfile.TarInfo(f"file-{entry}"))
    data, name = archive.getvalue()[:-10240], f"a slow import, {blocked.name}"
    start, position = time.time(), 0
    os.set_blocking(theirs, False)
    while position < len(data) and time.time() < start + 10:
        try:
            position += os.write(theirs, data[position : position + 4096])
        except BlockingIOError:
            pass
        time.sleep(0.02)
    check(f"{name}: goes on", position == len(data), position)
    start = time.time()
    process.send_signal(number)
    process.send_signal(signal.SIGHUP)  # as when a terminal is closed: still one wish, and time to clean up
    try:
        code = process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        code = None
    seconds = time.time() - start
    check(f"{name}: {signal.Signals(number).name} ends it at once", code == 130 and seconds < 3, f"{code}, {seconds:.1f} s")
    os.close(theirs)
    left = [entry for entry in os.listdir(".") if "never" in entry]
    check(f"{name}: leaves nothing behind", not left, left)


def unread_export():
    """An archive that nobody reads: one Ctrl-C ends its making."""
    os.makedirs("large", exist_ok=True)
    with open("large/file", "wb") as file:
        file.write(os.urandom(1 << 20))
    process = subprocess.Popen([program, "export", "large", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: is_writing(process))
    start = time.time()
    process.send_signal(signal.SIGINT)
    try:
        code = process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        code = None
    check("an export that nobody reads: SIGINT ends it", code == 130, f"{code}, {time.time() - start:.1f} s")


def non_blocking():
    """A pipe that somebody else has made non-blocking loses no lines."""
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(theirs, False)
    names = [f"tree/missing-{number}" for number in range(300)]
    process = subprocess.Popen([program, "stat", *names], stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    until(lambda: pending(ours) > 3000)
    text = b""
    while part := os.read(ours, 4096):
        text += part
    found = re.findall(r"missing-(\d+)", text.decode())
    process.wait()
    check("a non-blocking pipe: all lines, in order", found == [str(number) for number in range(300)], len(found))


def both_streams():
    """Standard output and standard error in one file: what was said first stands first."""
    with open("both", "wb") as file:
        names = [name for number in range(20) for name in (f"tree/program-{number}", f"tree/missing-{number}")]
        subprocess.run([program, "stat", *names], stdout=file, stderr=file)
    with open("both") as file:
        text = file.read()
    seen = [int(number) for number in re.findall(r"missing-(\d+)", text)]
    check("both streams in one file: nothing is lost", seen == list(range(20)), text[:300])
    # The last failure is what the command ends with.
    check("both streams in one file: in order", text.rindex("program-19") < text.index("missing-19"), text[-300:])


def unread_events():
    """Events that nobody reads do not hold up the end."""
    blocked = FullPipe()
    process = subprocess.Popen(
        [program, "import", "--json", "nothing.tar", "never"], stdout=blocked.theirs, stderr=subprocess.DEVNULL
    )
    blocked.close_theirs()
    try:
        check("events that nobody reads: a failing import ends", process.wait(15) == 3, process.returncode)
    except subprocess.TimeoutExpired:
        process.kill()
        check("events that nobody reads: a failing import ends", False, "it runs on")


def blocked_output():
    """What has a result to print can be ended by a second signal, if nobody reads it."""
    blocked = FullPipe()
    process = subprocess.Popen([program, "check", "--json", "--all", "tree"], stdout=blocked.theirs, stderr=subprocess.DEVNULL)
    blocked.close_theirs()
    until(lambda: is_writing(process))
    process.send_signal(signal.SIGINT)
    time.sleep(1.2)  # the first one's effect: it waits a second for a reader
    process.send_signal(signal.SIGINT)
    try:
        check("a result that nobody reads: a second SIGINT ends it", process.wait(5) == 130, process.returncode)
    except subprocess.TimeoutExpired:
        process.kill()
        check("a result that nobody reads: a second SIGINT ends it", False, "it runs on")


def closed():
    """A standard error that is closed altogether."""
    port = free_port()
    process = subprocess.Popen(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", program, "serve", "-v", "tree", "--listen", f"tcp://127.0.0.1:{port}"]
    )
    deadline = time.time() + 20
    while True:
        try:
            client = p9.Client(port)
            break
        except ConnectionRefusedError:
            if time.time() > deadline:
                raise
            time.sleep(0.02)
    check("a closed standard error: a session goes on", requests(client, 100) is not None)
    process.send_signal(signal.SIGTERM)
    check("a closed standard error: it ends", process.wait(10) == 0)


def too_late(*_):
    raise TimeoutError


signal.signal(signal.SIGALRM, too_late)
make_tree()
for kind in FullPipe, StoppedTerminal:
    replace_programs(kind.__name__)
    for scenario, number in (trace, signal.SIGINT), (warnings, signal.SIGTERM), (failing_import, signal.SIGINT):
        try:
            scenario(kind, number)
        except TimeoutError:
            check(f"{scenario.__name__}, {kind.__name__}: it goes on", False, "no answer")
unread_export()
non_blocking()
both_streams()
unread_events()
blocked_output()
closed()
for server in servers:
    server.kill()
finish()
