# Shared by scripts/test and scripts/soak: runs programs that say "ok" and "not ok", and counts.
# shellcheck shell=bash
#
# A program's output, line by line: "ok NAME", "not ok NAME", "skipped NAME: why"; "# ..." and "| ..." are remarks and logs.
# It sources common.sh before this file.

# The uid that plays the developer must be able to read files, and tests look at messages: so umask and language are fixed.
umask 022
export LC_ALL=C.UTF-8
work=$(mktemp -d -p "${USB9PFS_TEST_DIR:-/var/tmp}") # /tmp may be a tmpfs, and Debian 12's has no user extended attributes
chmod 755 "$work"
declare -A running=() # what is under way, by process id
declare -A begun=()   # when it began, by name
# shellcheck disable=SC2317 # called by the trap
finish() {
    # The lab's kernels end with their `run`. In the background they don't hear Ctrl-C.
    [ ${#running[@]} = 0 ] || { kill "${!running[@]}" 2>/dev/null && wait; } || true
    ! mountpoint -q "$work/ramfs" || umount -l "$work/ramfs"
    rm -rf "$work" || true # the exit code is the tests'
}
trap finish EXIT
trap 'exit 130' HUP INT TERM
passed=0 failed=0
skipped=()           # what was not run, and why
: >"$work/failures" # what was not ok, said once more at the end

# Counts one test by a command's exit code.
step() {
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok $name"
    else
        failed=$((failed + 1))
        echo "not ok $name" | tee -a "$work/failures"
    fi
}

# skip NAME WHY
skip() {
    echo "skipped $1: $2"
    skipped+=("$1: $2")
}

# count_marks NAME STATUS LOG: counts a log's lines; another exit code than 0 without a "not ok" is one failure, and so is a
# program that says nothing.
count_marks() {
    local good bad mark
    good=$(grep -c '^ok ' "$3") || true
    bad=$(grep -c '^not ok ' "$3") || true
    while read -r mark; do skipped+=("$1: ${mark#skipped }"); done < <(grep '^skipped ' "$3" || true)
    grep -v '^| ' "$3" | grep -A 12 '^not ok ' | sed "s/^/$1: /" >>"$work/failures" || true # without the kernel's log
    if [ "$2" != 0 ] && [ "$bad" = 0 ]; then
        bad=1
        {
            echo "not ok $1: exit code $2"
            grep -v '^ok \|^| ' "$3" | tail -n 60 | sed 's/^/| /' || true
        } | tee -a "$work/failures"
    elif [ "$good$bad" = 00 ] && ! grep -q '^skipped ' "$3"; then
        bad=1
        echo "not ok $1: it has tested nothing" | tee -a "$work/failures"
    fi
    passed=$((passed + good)) failed=$((failed + bad))
}

# tally NAME COMMAND...: runs a program, with its output as it comes.
tally() {
    local name=$1 status=0 since=$SECONDS
    shift
    echo "== $name"
    "$@" 2>&1 | tee "$work/log" || status=$?
    echo "# $name: $((SECONDS - since)) s"
    count_marks "$name" "$status" "$work/log"
}

# in_turn NAME COMMAND...: starts it as soon as fewer than one for each processor are under way. Each one's output comes
# when it is done.
in_turn() {
    [ ${#running[@]} -lt "$(nproc)" ] || finish_one
    "${@:2}" >"$work/$1.log" 2>&1 &
    running[$!]=$1
    begun[$1]=$SECONDS
}

finish_one() {
    local pid status=0 name
    wait -n -p pid "${!running[@]}" 2>/dev/null || status=$?
    if [ -z "${pid:-}" ]; then
        # Who was killed by a signal is not known to the -n of Debian's bash any more, when others were waited for meanwhile.
        for pid in "${!running[@]}"; do break; done
        status=0
        wait "$pid" || status=$?
    fi
    name=${running[$pid]}
    unset "running[$pid]"
    echo "== $name"
    cat "$work/$name.log"
    echo "# $name: $((SECONDS - begun[$name])) s"
    count_marks "$name" "$status" "$work/$name.log"
}

finish_all() { while [ ${#running[@]} -gt 0 ]; do finish_one; done; }

# soak_reason FILE [DRIVER]: why a script or scenario is for scripts/soak alone, or is with that driver; nothing if it is not.
soak_reason() { sed -n "s/^# soak: //p;s/^# soak with ${2:-none}: //p" "$1" | head -n 1; }

# The drivers that a scenario states; "default" if it states none.
lab_drivers() {
    local drivers
    drivers=$(sed -n 's/^# lab: drivers=//p' "Tests/Lab/scenarios/$1.sh" | head -n 1)
    printf '%s\n' "${drivers:-default}"
}

# lab_runs test|soak: what that program runs, a line for each: "SCENARIO DRIVER".
lab_runs() {
    local scenario name driver at
    for scenario in Tests/Lab/scenarios/*.sh; do
        name=$(basename "$scenario" .sh)
        for driver in $(lab_drivers "$name"); do
            at='test'
            [ -z "$(soak_reason "$scenario" "$driver")" ] || at=soak
            [ $at != "$1" ] || echo "$name $driver"
        done
    done
}

# The time limit that a scenario states, with its name.
lab_limit() {
    local limit
    limit=$(sed -n 's/^# lab: timeout=//p' "Tests/Lab/scenarios/$1.sh" | head -n 1)
    printf '%s %s\n' "${limit:-300}" "$1" # as `run` has it
}

# Makes what several scenarios would make at once.
prepare_lab() {
    scripts/build >/dev/null
    scripts/gadget/build >/dev/null
    Tests/Lab/build-kernel >/dev/null
    local status=0
    Tests/Lab/build-rootfs >/dev/null || status=$?
    case $status in
        0) ;;
        3) skip "lab: Debian" "no mirror can be reached, so the scenarios boot a busybox system" ;;
        *) die "there is no root filesystem to boot" ;;
    esac
}

# run_scenarios test|soak [NAME...]: all of that program's, or these with each of their drivers. Those that may take longest are first.
run_scenarios() {
    local name driver
    while read -r _ name driver; do
        if [ "$driver" = default ]; then
            in_turn "lab: $name" Tests/Lab/run "$name"
        else
            in_turn "lab: $name, driver $driver" Tests/Lab/run --driver "$driver" "$name"
        fi
    done < <(
        if [ $# -gt 1 ]; then
            for name in "${@:2}"; do
                for driver in $(lab_drivers "$name"); do echo "$name $driver"; done
            done
        else
            lab_runs "$1"
        fi | while read -r name driver; do echo "$(lab_limit "$name") $driver"; done | sort -k 1,1nr -k 2
    )
    finish_all
}

# Says what was not ok, and what was skipped, once more.
remind() {
    if [ -s "$work/failures" ]; then
        echo "== what was not ok"
        cat "$work/failures"
    fi
    if [ ${#skipped[@]} -gt 0 ]; then
        echo "== what was skipped (${#skipped[@]})"
        printf '%s\n' "${skipped[@]}"
    fi
}
