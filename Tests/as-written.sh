# Runs what stands in the documents, so that it is what the tests test.
# shellcheck shell=bash
#
#   as_written [--background] PAGE HEADING BLOCK[.COMMAND[-COMMAND]] [WHAT=WITH...]
#       runs a block of PAGE, or those of its commands only, as it stands there but for each WHAT, which must occur and becomes
#       WITH; in the present directory, by bash -euo pipefail, by ${written_by[@]} if that is set. In the background it is $!
#   page_text PAGE HEADING BLOCK[.COMMAND[-COMMAND]] [WHAT=WITH...]
#       prints it: for blocks that are not commands
#   boots_as_written PAGE HEADING BLOCK[.COMMAND[-COMMAND]] [WHAT=WITH...]
#       in the lab: true if these words are on the command line that the kernel was booted with, one after the other
#   like_a_checkout DIRECTORY
#       goes there, and makes it what the pages mean by this repository's directory: scripts, and p9fwd and p9serve in PATH
#   stand_in NAME COMMAND...
#       what the pages call NAME is this command, after like_a_checkout: `stand_in sudo` where the test is root already
#
# Tests/EndToEnd/docs.sh reads these calls: page, heading and number must stand there, no variables.

written_by=()
as_written_root=$(realpath "${BASH_SOURCE[0]%/*}/..") # pages are found from everywhere

page_text() { python3 "$as_written_root/Tests/Python/pages.py" "$@"; }

as_written() {
    local background=no commands code=0
    [ "$1" != --background ] || { background=yes && shift; }
    commands=$(page_text "$@") || return
    set -- ${written_by[@]+"${written_by[@]}"} bash -euo pipefail -c "$commands"
    if [ $background = yes ]; then
        "$@" &
        return
    fi
    "$@" || code=$?
    [ $code = 0 ] || printf 'exit code %s of:\n%s\n' $code "$commands" >&2
    return $code
}

boots_as_written() {
    local words booted
    words=$(page_text "$@") && booted=$(cat /proc/cmdline) || return
    [[ " $booted " = *" $words "* ]] || { printf 'written: %s\nbooted: %s\n' "$words" "$booted" >&2 && return 1; }
}

like_a_checkout() {
    cd "$1" || return
    mkdir bin
    ln -s "$as_written_root/scripts" scripts
    export PATH=$PWD/bin:$PATH
    stand_in p9fwd "${P9FWD:-$as_written_root/.build/release/p9fwd}"
    stand_in p9serve "${P9SERVE:-$as_written_root/.build/release/p9serve}"
}

stand_in() {
    printf '#!/bin/bash\nexec %s "$@"\n' "$([ $# = 1 ] || printf '%q ' "${@:2}")" >"bin/$1"
    chmod 755 "bin/$1"
}
