# Waiting for the root: one try after the other, with messages about what the board waits for.
# shellcheck shell=sh disable=SC2154 # the settings are read in command-line.sh

# Warns of parts of the command line that don't mean what they seem to.
tell_findings() {
    [ -z "$ignored" ] || say "not known, ignored:$ignored"
    [ -z "$replaced" ] || say "$replaced in rootflags would let no user but root read the root: access=client is used"
}

# One try in a child, since a mount hangs as long as the host keeps silent, and must not be killed (see the gadget's program).
# The child and its result outlive this process: the next call waits for the same try. Says every 15 s what it waits for.
# 0: the root is there; 1: it failed; 2: the time is over, the try goes on; 3: only a reboot helps.
watched_try() {
    if [ ! -e "$state_dir/trying" ]; then
        rm -f "$state_dir/result"
        : >"$state_dir/trying"
        (
            (try_root)
            echo $? >"$state_dir/result.new"
            mv "$state_dir/result.new" "$state_dir/result"
        ) &
    fi
    said=$(seconds) since=$said
    until [ -e "$state_dir/result" ]; do
        now=$(seconds)
        [ -z "$timeout" ] || [ "$now" -lt "$deadline" ] || return 2
        if [ "$now" -ge $((said + 15)) ]; then
            say "waiting for $(waits_for)${timeout:+ (for $((deadline - now)) s more)}"
            said=$now
        fi
        # After a long wait a second more does not matter, and slow machines feel the polling.
        if [ $((now - since)) -lt 5 ]; then pause; else sleep 1; fi
    done
    rm "$state_dir/trying"
    return "$(cat "$state_dir/result")"
}

# Tries until the root is there. 1: a try failed, and the command line asks for a shell then; 2: the time is over. Call it
# again to go on. 3: only a reboot helps.
get_root() {
    [ -z "$timeout" ] || deadline=$(($(seconds) + timeout))
    while :; do
        watched_try
        case $? in
            0) return 0 ;;
            2)
                say "error: no root within $timeout s (usb9pfs.timeout); waited for $(waits_for)"
                return 2
                ;;
            3) return 3 ;;
        esac
        [ -z "$shell" ] || return 1
        say "trying again in $retry s"
        sleep "$retry"
    done
}
