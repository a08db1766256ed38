#!/usr/bin/env bash
# What scripts/test and scripts/soak make of a program's lines and exit code (Tests/runner.sh).
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"

# counts NAME WANTED PROGRAM [FUNCTION]: "passed failed skipped" after a shell program was run
counts() {
    local got
    got=$(
        # shellcheck source=../runner.sh
        . "$usb9pfs_root/Tests/runner.sh"
        {
            if [ "${4:-tally}" = tally ]; then tally it bash -c "$3"; else in_turn it bash -c "$3" && finish_all; fi
        } >/dev/null
        echo "$passed $failed ${#skipped[@]}"
    )
    check_equal "$1" "$2" "$got"
}

for way in tally in_turn; do
    counts "$way: lines" "2 1 0" "echo ok a; echo 'not ok b'; echo ok c; exit 1" $way
    counts "$way: a failure without a line" "1 1 0" "echo ok a; exit 3" $way
    counts "$way: a signal" "1 1 0" "echo ok a; kill -9 \$\$" $way
    counts "$way: nothing was tested" "0 1 0" "echo text" $way
    counts "$way: what is skipped counts, be it all" "0 0 2" "echo 'skipped a: why'; echo 'skipped b: why'" $way
    counts "$way: words within a line" "1 0 0" "echo ok a; echo '# not ok b'; echo '| skipped c'; echo ' ok d'" $way
done
