#!/usr/bin/env bash
# What the documents say to type is what tests type: every command there is run by one, or listed with the reason
# (lib/docs.py). And what runs them (Tests/as-written.sh) fails when it should.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
. "$(dirname "$0")/../as-written.sh"
need_packages python3
export PYTHONDONTWRITEBYTECODE=1
code=0
python3 "$usb9pfs_root/Tests/EndToEnd/lib/docs.py" || code=$?

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# fails NAME CODE COMMAND...
fails() {
    local got=0
    "${@:3}" >out 2>&1 || got=$?
    if [ "$got" = "$2" ]; then echo "ok $1"; else echo "not ok $1: exit code $got, not $2: $(cat out)" && code=1; fi
}
fails "a heading that is gone" 1 python3 "$usb9pfs_root/Tests/Python/pages.py" docs/talos.md "Build them" 1
fails "a block that is gone" 1 python3 "$usb9pfs_root/Tests/Python/pages.py" docs/talos.md "Build it" 2
fails "a command that is gone" 1 python3 "$usb9pfs_root/Tests/Python/pages.py" docs/talos.md "Build it" 1.2
fails "nothing to replace" 1 python3 "$usb9pfs_root/Tests/Python/pages.py" docs/talos.md "Build it" 1 nothing=something
# A page of one's own, for a command that fails before the last.
mkdir -p Tests/Python
cp "$usb9pfs_root/Tests/as-written.sh" Tests/
cp "$usb9pfs_root/Tests/Python/pages.py" Tests/Python/
printf '# Page\n\n    true\n    cat <<END\n    # text\n    END\n    (exit 7)\n    touch \\\n        reached\n' >page.md
# shellcheck disable=SC2317 # called by fails
run() { bash -c '. Tests/as-written.sh && as_written page.md Page "$@"' bash "$@" >said 2>&1; }
fails "the first command that fails ends it" 7 run 1
fails "... after those before it" 0 grep -qxF "# text" said
fails "... and none after it is run" 1 test -e reached
fails "a command of two lines, and a here-document" 0 run 1.4
fails "... is run" 0 test -e reached
exit $code
