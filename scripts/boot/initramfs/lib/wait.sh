# Waiting for the root: one try after the other, and what it is that the board waits for.
# shellcheck shell=sh disable=SC2154 # the settings are read in command-line.sh

# What of the command line is not as it seems.
tell_findings() {
    [ -z "$ignored" ] || say "not known, ignored:$ignored"
    [ -z "$replaced" ] || say "$replaced in rootflags would let no user but root read the root: access=client is used"
}

# One try in a child, since a mount can hang for as long as the host keeps silent, and must not be killed (see the
# gadget's program). The child and its result outlive this process: who calls again waits for the same try. Says every 15 s
# what it waits for. 0: the root is there; 1: it failed; 2: the time is over, it goes on; 3: only a reboot helps.
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
        # Who has waited for long can wait a second more; slow machines feel the polling.
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
