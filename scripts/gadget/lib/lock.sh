# One program at a time at the gadgets: two `up`, `up` and `down`, a unit and a person.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others
#
# It uses symbolic links, which are made and given their content in one step; not every busybox has flock. The lock is
# $run_dir/lock, and names its owner by process id, start time and boot, which no other process ever shares. The link
# lock.after.OWNER takes over the lock of a dead owner (kill -9, a reboot where /run stays), so that one of several who find
# it succeeds. That link takes the place of the first one, and may itself be taken over. The owner of the last link has the
# lock, and only that owner removes `lock`; the others then mean nothing.

# Sets $own_id. By the shell itself, of which $$ may be only the parent.
identify_process() {
    read -r own_stat </proc/self/stat && id_of_stat "$own_stat" && own_id=$stat_id
}

# id_of_stat LINE: sets $stat_id by a line of /proc/PID/stat; 1 for a process that is dead and not yet waited for.
id_of_stat() {
    stat_id=${1%% *}
    # The name, in brackets, may hold anything.
    # shellcheck disable=SC2086 # into fields
    set -- ${1##*) }
    [ -n "${boot_id:-}" ] || read -r boot_id </proc/sys/kernel/random/boot_id
    stat_id=$stat_id.${20:-}.${boot_id%%-*}
    case $1 in [ZX]) return 1 ;; esac
}

# is_alive ID
is_alive() {
    { read -r other_stat <"/proc/${1%%.*}/stat"; } 2>/dev/null && id_of_stat "$other_stat" && [ "$stat_id" = "$1" ]
}

# 0 if the lock is this process' now; else $lock_owner is who has it, or nothing if that is not known.
try_lock() {
    lock_link=$run_dir/lock lock_row='' first_owner=''
    until ln -s "$own_id" "$lock_link" 2>/dev/null; do
        lock_owner=$(readlink "$lock_link") || return
        ! is_alive "$lock_owner" || return 1
        : "${first_owner:=$lock_owner}"
        lock_row="$lock_row $lock_link"
        lock_link=$run_dir/lock.after.$lock_owner
    done
    lock_row="$lock_row $lock_link"
    # If it was given back in the meantime, the link just made takes over from nobody.
    [ -z "$first_owner" ] || [ "$(readlink "$run_dir/lock")" = "$first_owner" ] || {
        rm -f "$lock_link"
        lock_owner=
        return 1
    }
}

# Waits for the lock. Its owner is done within seconds, since nobody keeps it while waiting for a host. If this process ends
# by an error or a signal, what is half made is taken away (see build_gadget).
take_lock() {
    identify_process || die 1 "/proc is not mounted"
    mkdir -p "$run_dir" || die 1 "can't make $run_dir, where the notes are kept that keep the kernel from panicking"
    lock_tries=0 unknown=0
    until try_lock; do
        lock_tries=$((lock_tries + 1))
        if [ -n "$lock_owner" ]; then
            unknown=0
            [ $lock_tries != 10 ] || say "waiting for process ${lock_owner%%.*}, another $progname"
            [ $lock_tries -lt 600 ] || die 5 "process ${lock_owner%%.*}, another $progname, is at work and does not end; look at it, or end it"
        else
            unknown=$((unknown + 1))
            [ $unknown -lt 20 ] || die 1 "can't write to $run_dir: full, or read-only? The notes there keep the kernel from panicking"
        fi
        pause
    done
    half_made=no
    trap give_back EXIT
    trap 'exit 130' INT TERM HUP
}

give_back() {
    [ "$half_made" = no ] || [ -n "$(bound_controller)" ] || remove_gadget
    release_lock
}

release_lock() {
    trap - EXIT INT TERM HUP
    # shellcheck disable=SC2086 # a list of words
    rm -f $lock_row
}
