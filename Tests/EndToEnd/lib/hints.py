"""Hints that are commands, pasted; and exit codes. See hints.sh. Arguments: p9serve, p9fwd, the repository."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys

from checks import check, finish

p9serve, p9fwd, root = sys.argv[1:]
work = os.getcwd()
NAMES = ["new dir", "it's", 'say "x"', "-rf", "a$(touch pasted)b", "a;touch pasted", "`touch pasted`", "two\nlines", "\x1b[31mred",
         "~", "größe", "*", "a\\b", "#x", "&"]


def run(*arguments, program=p9serve, **options):
    return subprocess.run([program, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, **options)


def paste(command):
    """Types a command into an interactive user's shell."""
    return subprocess.run(["bash", "-c", f"p9serve() {{ {p9serve} \"$@\"; }}\n{command}"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60)


def hint(result, pattern):
    """The command in a message; it stands in one line, alone or behind a colon."""
    found = re.search(rf"^(?:.*: )?\s*({pattern}.*)$", result.stderr, re.M)
    return found and found[1]


def argument(name):
    """As one writes it who knows that it may begin with a hyphen."""
    return "./" + name if name.startswith("-") else name


os.mkdir("source")
open("source/file", "w").write("content")
subprocess.run(["tar", "-cf", "a.tar", "-C", "source", "."], check=True)
for name in NAMES:
    shown = repr(name)
    place = argument(name)
    # rm -r: what is there goes away, with its database; and nothing else.
    os.mkdir(place)
    open(f"{place}/file", "w").close()
    bystanders = ["new", "dir", ".new"] if name == "new dir" else []
    for bystander in bystanders:
        os.mkdir(bystander)
    command = hint(run("import", "a.tar", place), "rm -r ")
    paste(command or "false")
    check(f"rm -r of {shown}", not os.path.lexists(name) and all(map(os.path.isdir, bystanders)), command)
    for bystander in bystanders:
        os.rmdir(bystander)
    # mkdir -p of a parent.
    command = hint(run("import", "a.tar", f"{place}/tree"), "mkdir -p ")
    paste(command or "false")
    check(f"mkdir -p of {shown}", os.path.isdir(name), command)
    # chmod of a directory that can't be opened (root can open all).
    if os.getuid() != 0:
        os.chmod(name, 0)
        command = hint(run("serve", place, "--listen", "tcp://127.0.0.1:0"), "chmod u")
        paste(command or "false")
        check(f"chmod of {shown}", os.stat(name).st_mode & 0o700 == 0o700, command)
        os.chmod(name, 0o755)
    # p9serve import to a directory that does not exist yet.
    os.rmdir(name)
    command = hint(run("serve", place), "p9serve import rootfs.tar ")
    paste((command or "false").replace("rootfs.tar", "a.tar"))
    check(f"p9serve import into {shown}", os.path.isfile(f"{place}/file"), command)
    shutil.rmtree(place)
    os.remove(f".{name}.usb9pfs.db")
    # A conversion that was interrupted.
    os.mkdir(place)
    subprocess.run(["setfattr", "-n", "user.usb9pfs.convert", "-v", "describe rsync override-stat", place], check=True)
    command = hint(run("export", place, "new.tar"), "setfattr -x ")
    paste(command or "false")
    check(f"setfattr of {shown}", "user.usb9pfs.convert" not in os.listxattr(place), command)
    shutil.rmtree(place)
check("nothing in a name was run", not os.path.exists("pasted"))
everything = set(os.listdir(".")) - {"source", "a.tar", "empty"}
check("nothing else is left", not everything, str(everything))

# No command in a message has a raw path in it: only words of a shell, numbers and names of ours.
COMMANDS = (r"(?:rm|mkdir|chmod|chown|setfattr|cp|mv|umount|kill|sudo|p9serve (?:import|export|convert|check|chmod|chown|setcap|serve)"
            r"|p9fwd (?:serve|connect|rpiboot)) [^\"]*|--metadata [^\"]*|PSEUDO_LOCALSTATEDIR=[^\"]*")
HARMLESS = re.compile(r"ShellWord\(|rawValue|command|StandardError\.programName|database$|removalCommand|program$|place$|needed|install"
                      r"|^(?:name|doubt|word|words|letters|turned)$")
raw = []
for directory, _, files in os.walk(f"{root}/Sources"):
    for file in files:
        if not file.endswith(".swift"):
            continue
        for number, line in enumerate(open(os.path.join(directory, file)), 1):
            if line.lstrip().startswith("//"):
                continue
            for text in re.findall(COMMANDS, line):
                for value in re.findall(r"\\\(([^()]*(?:\([^()]*\)[^()]*)*)\)", text):
                    if not HARMLESS.search(value):
                        raw.append(f"{file}:{number}: {text}")
check("no command in a message has a raw path in it", not raw, "; ".join(raw))

# Exit codes: each cause that can be had here, and its row in the page.
page = open(f"{root}/docs/exit-codes.md").read()
documented = {int(code): meaning.strip() for code, meaning in re.findall(r"^\| (\d+) \| ([^|]*) \|", page, re.M)}


def ends(name, code, *arguments, program=p9serve):
    result = run(*arguments, program=program)
    check(f"exit code {code}: {name}", result.returncode == code and code in documented, f"{result.returncode} {result.stderr}")


os.mkdir("tree")
ends("success", 0, "check", "tree")
ends("not found", 3, "check", "nothing")
ends("wrong arguments", 64, "check", "--nonsense")
ends("malformed input", 64, "import", "source/file", "new")
ends("timed out", 6, "serve", "tree", "--timeout", "0.2", program=p9fwd)
closed = socket.create_server(("127.0.0.1", 0))
port = closed.getsockname()[1]
ends("in use", 5, "serve", "tree", "--listen", f"tcp://127.0.0.1:{port}")
closed.close()
ends("no server", 8, "connect", "--port", str(port), program=p9fwd)
if os.getuid() != 0:
    os.mkdir("shut", 0)
    ends("no permission", 4, "export", "shut", "x.tar")

# tcp://localhost: all its addresses, with one port; and each is said. Two, by a table of hosts of the server's own.
with open("hosts", "w") as hosts:
    hosts.write("127.0.0.1 localhost\n127.0.0.2 localhost\n")
alone = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount --bind hosts /etc/hosts && exec "$@"', "sh"]
server = subprocess.Popen([*alone, p9serve, "serve", "tree", "--listen", "tcp://localhost:0", "-v"], stderr=subprocess.PIPE, text=True)
wanted = ["127.0.0.1", "127.0.0.2"]
said = [server.stderr.readline().strip() for _ in wanted]
found = [re.fullmatch(r"listening on tcp://\[?([0-9a-f.:]+?)\]?:(\d+)", line) for line in said]
good = all(found) and sorted(m[1] for m in found) == wanted and len({m[2] for m in found}) == 1
for address in wanted if good else []:
    with socket.create_connection((address, int(found[0][2])), 5) as client:
        client.sendall(b"\x15\0\0\0\x64\xff\xff\0\x20\0\0\x08\x009P2000.L")
        good = good and len(client.recv(100)) == 21
check("tcp://localhost is served at all its addresses", good, str(said))
lines = [server.stderr.readline() for _ in wanted for _ in range(2)] if good else []
check("the trace: -> to the server, <- from it", [line[:11] for line in lines] == ["-> Tversion", "<- Rversion"] * len(wanted), str(lines))
server.send_signal(signal.SIGINT)
check("exit code 0: a server at Ctrl-C", server.wait(10) == 0)

# A command in a help text is a line of its own, on a terminal of 80 columns too.
def help_of(program, verbs, columns):
    return subprocess.run([program, *verbs, "--help"], env=dict(os.environ, COLUMNS=str(columns)), capture_output=True, text=True).stdout


for program in (p9serve, p9fwd):
    verbs = re.findall(r"^  ([a-z]+) +\S", help_of(program, [], 400).split("SUBCOMMANDS:")[1], re.M)
    broken = [line for verb in verbs for line in help_of(program, [verb], 400).splitlines()
              if line.startswith("  ") and line.split("USAGE")[0] and re.match(r"  (p9\w+|mount|sudo) ", line)
              and line not in help_of(program, [verb], 80).splitlines()]
    check(f"examples of {os.path.basename(program)} --help are whole at 80 columns", verbs and not broken, str(broken))

finish()
