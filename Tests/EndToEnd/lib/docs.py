"""Every command and every other block of the documents is run or compared by a test, or stands below with the reason.

What tests do is read from their calls of as_written, page_text and boots_as_written (Tests/as-written.sh): these
fail when what they name is not there. The same command on another page counts as run.
"""

import glob
import os
import re
import sys

import pages

# What is looked at.
PAGES = [
    "README.md",
    "docs/first-board.md",
    "docs/gadget.md",
    "docs/initramfs-distributions.md",
    "docs/initramfs.md",
    "docs/kernel.md",
    "docs/network.md",
    "docs/raspberry-pi.md",
    "docs/rpiboot.md",
    "docs/talos.md",
]
# Page, how the command begins (all that do), why no test runs it.
NOT_RUN = [
    ("README.md", "scripts/demo", "it sets the machine up, builds, and runs the lab's scenario `boot`, which is a test itself"),
    ("README.md", "scripts/test", "it runs this"),
    ("README.md", "scripts/build", "it compiles: scripts/test does it first of all"),
    ("docs/network.md", "[keyfile]", "a file of NetworkManager's; network-managers leaves it to NetworkManager"),
    ("docs/network.md", "unmanaged-devices=", "a file of NetworkManager's; network-managers leaves it to NetworkManager"),
    ("docs/raspberry-pi.md", "git clone", "hundreds of megabytes of a third party's; tests have stand-ins and Debian's copy"),
    ("docs/talos.md", "docker run", "no Docker; the profile that it reads is tested"),
    ("docs/talos.md", "talosctl", "no board with Talos; the service is tested in the lab by another runtime"),
]

CALL = re.compile(
    r"""(?<![\w-])(as_written|page_text|boots_as_written)(?:[ ]--background)?
        [ ]([\w./-]+\.md)[ ](?:"([^"$`\\]+)"|'([^']+)')[ ]([0-9][0-9.-]*)(?=[\s)";]|$)
        ((?:[ ](?:"[^"=]+=[^"]*"|[^\s"'()=;|&<>]+=[^\s"'();|&<>]*))*)""",
    re.X,
)
NAME = re.compile(r"(?<![\w-])(as_written|page_text|boots_as_written)(?![\w-])")
DEFINITION = re.compile(r"^(as_written|page_text|boots_as_written)\(\) ?\{|[^\n]*page_text \"\$@\"", re.M)
failed = False

def say(good, name, faults=()):
    global failed
    failed |= not good
    print(("ok " if good else "not ok ") + name, *(f"# {fault}" for fault in faults), sep="\n")

def plain(command):
    """A command without its comment and its line ends: what two pages may have in common."""
    return " ".join(re.sub(r"(?m)(^|\s)# .*$", "", command).replace("\\\n", " ").split())

def runs(command):
    """True where the block's line is a command, and not a setting, a message, or words for a kernel."""
    words = command.split()
    return re.fullmatch(r"[a-z0-9_./-]*[a-z0-9_]", words[0]) is not None and words[1:2] != ["="]

def calls():
    """What the tests name, with where: (function, page, heading, reference, place, replacements)."""
    found, unreadable = [], []
    for name in sorted(glob.glob("Tests/EndToEnd/**/*.sh", recursive=True) + glob.glob("Tests/Lab/**/*", recursive=True)):
        if not os.path.isfile(name) or name.endswith(".py") or name == "Tests/EndToEnd/docs.sh":
            continue
        with open(name, encoding="utf-8") as file:
            source = re.sub(r"\\\n\s*", "", file.read())
        for line in source.split("\n"):
            if line.lstrip().startswith("#") or DEFINITION.match(line.lstrip()):
                continue
            readable = CALL.findall(line)
            found += [(call[0], call[1], call[2] or call[3], call[4], name, call[5].strip()) for call in readable]
            if len(readable) != len(NAME.findall(line)):
                unreadable.append(f"{name}: {line.strip()}")
    return found, unreadable

os.chdir(pages.ROOT)
every = {}
for page in PAGES:
    for heading, under in pages.blocks(page).items():
        for number, block in enumerate(under, 1):
            for index, command in enumerate(pages.commands(block), 1):
                every[page, heading, number, index] = command

named, unreadable = calls()
say(not unreadable, "the calls that run the documents can be read: page, heading and number, no variables", unreadable)
run, missing = set(), []
for function, page, heading, reference, place, replacements in named:
    try:
        pages.text(page, heading, reference)
    except (pages.Missing, OSError) as fault:
        missing.append(f"{place}: {fault}")
        continue
    number, first, last = re.fullmatch(r"(\d+)(?:\.(\d+)(?:-(\d+))?)?", reference).groups()
    for key, command in every.items():
        if key[:3] == (page, heading, int(number)) and (not first or int(first) <= key[3] <= int(last or first)):
            # What is only printed is not run.
            if function == "as_written" or not runs(command):
                run.add(plain(command))
say(not missing, "what tests run stands in the documents", missing)
# For the reader: how far what is run is not what stands there.
replaced = [f"{call[1]} '{call[2]}' {call[3]}: {call[5]}" for call in named if call[5]]
print(f"# with words replaced, in {len(replaced)} of {len(named)} calls:", *(f"#   {line}" for line in replaced), sep="\n")

left, used = [], set()
for (page, heading, number, index), command in every.items():
    reasons = [entry for entry in NOT_RUN if entry[0] == page and plain(command).startswith(entry[1])]
    used.update(entry for entry in reasons if plain(command) not in run)
    if plain(command) not in run and not reasons:
        left.append(f"{page} '{heading}' {number}.{index}: {plain(command)}")
say(not left, f"of {len(every)} commands and other lines of the documents each is run by a test or listed with the reason", left)
stale = [f"{page}: {beginning}" for page, beginning, reason in NOT_RUN if (page, beginning, reason) not in used]
say(not stale, f"each of the {len(NOT_RUN)} reasons belongs to a command that no test runs", stale)
sys.exit(failed)
