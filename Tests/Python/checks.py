"""What a test says, as ../checks.sh does: a line "ok NAME" or "not ok NAME", and an exit code at the end."""

import sys

failed = False


def check(name, good, why="", note=""):
    """`why` is shown if it was not good, `note` in any case. Either may be a list of lines."""
    global failed
    failed = failed or not good
    print(f"{'ok' if good else 'not ok'} {name}" + (f" ({note})" if note else ""))
    lines = [why] if isinstance(why, str) else [str(line) for line in why] if isinstance(why, (list, tuple)) else [repr(why)]
    for line in [] if good else lines:
        if line:
            print("# " + line.replace("\n", "\n# "))
    sys.stdout.flush()


def check_equal(name, want, have):
    check(name, want == have, f"wanted {want!r}, got {have!r}")


def finish():
    sys.exit(1 if failed else 0)
