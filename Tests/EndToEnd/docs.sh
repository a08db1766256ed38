#!/usr/bin/env bash
# What the documents say to type is what tests type: every command there is run by one, or listed with the reason
# (lib/docs.py). And what runs them (Tests/as-written.sh) fails when it should.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages python3
code=0
python3 "$programs/docs.py" || code=$?

cd "$work"
pages=$usb9pfs_root/Tests/Python/pages.py
check_code 1 "a heading that is gone" python3 "$pages" docs/talos.md "Build them" 1
check_code 1 "a block that is gone" python3 "$pages" docs/talos.md "Build it" 2
check_code 1 "a command that is gone" python3 "$pages" docs/talos.md "Build it" 1.2
check_code 1 "nothing to replace" python3 "$pages" docs/talos.md "Build it" 1 nothing=something
# A page of one's own, for a command that fails before the last.
mkdir -p Tests/Python
cp "$usb9pfs_root/Tests/as-written.sh" Tests/
cp "$pages" Tests/Python/
printf '# Page\n\n    true\n    cat <<END\n    # text\n    END\n    (exit 7)\n    touch \\\n        reached\n' >page.md
# shellcheck disable=SC2317 # called by check_code
run() { bash -c '. Tests/as-written.sh && as_written page.md Page "$@"' bash "$@" >output 2>&1; }
check_code 7 "the first command that fails ends it" run 1
check_code 0 "... after those before it" grep -qxF "# text" output
check_code 1 "... and none after it is run" test -e reached
check_code 0 "a command of two lines, and a here-document" run 1.4
check_code 0 "... is run" test -e reached
exit $code
