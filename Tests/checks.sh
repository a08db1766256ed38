# What a shell test says, and how many checks were ok. Sourced by EndToEnd/lib/test.sh and Lab/lib.sh.
# shellcheck shell=bash
#
#   check NAME COMMAND...         ok if the command succeeds; its output is shown if not. Never ends the test
#   check_equal NAME WANT HAVE    compares two strings
#   check_code CODE NAME COMMAND...   ok if the command ends with this exit code; what it says is in $said
#   said TEXT, said_not TEXT      ok if the last check_code's command has said this, or not
#   said_like PATTERN             ... if a line matches this extended regular expression
#   ok NAME, not_ok NAME [WHY]    for what does not fit in one command
#   fail NAME [WHY]               not_ok, and the test ends
#   not COMMAND...                succeeds if the command fails
#   wait_for SECONDS COMMAND...   polls until the command succeeds; fails if it never does
#   checks_count ok|'not ok'      how many there were; $last_check is what the last one was, in this shell
#
# $checks is the file of the counts, and $said of what a command says: whoever sources this may set both. $check_of stands
# before "... and says", for tests that repeat themselves.

: "${checks:=$(mktemp)}" # one line a check: subshells count too
: "${said:=$checks.said}"
: "${check_of:=}"
: >"$checks"

ok() {
    echo "ok $1"
    last_check=ok
    echo "$last_check" >>"$checks"
}

not_ok() {
    echo "not ok $1"
    [ -z "${2:-}" ] || printf '%s\n' "$2" | sed 's/^/# /'
    last_check='not ok'
    echo "$last_check" >>"$checks"
}

fail() {
    not_ok "$@"
    exit 1
}

check() {
    local name=$1 output code=0
    shift
    output=$("$@" 2>&1) || code=$?
    if [ $code = 0 ]; then ok "$name"; else not_ok "$name" "exit code $code: $*"$'\n'"$output"; fi
}

check_equal() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted '$2', got '$3'"; fi; }

check_code() {
    local want=$1 name=$2 code=0
    shift 2
    "$@" >"$said" 2>&1 || code=$?
    if [ $code = "$want" ]; then ok "$name"; else not_ok "$name" "exit code $code, not $want: $(cat "$said")"; fi
}

said() { check "$check_of... and says '$1'" grep -F -- "$1" "$said"; }
said_not() { check "$check_of... and does not say '$1'" not grep -F -- "$1" "$said"; }
said_like() { check "$check_of... and says '$1'" grep -E -- "$1" "$said"; }

not() { ! "$@"; }

wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

checks_count() { grep -cx -- "$1" "$checks" || true; }
