# The function usb9pfs: its buffer, its mounts.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others

# The largest power of two up to 1 MiB for which there are at least four free blocks of contiguous low memory (the
# driver's buffer, and the client's message buffers of the same size).
default_buflen() {
    page=$(sed -n 's/^KernelPageSize: *\([0-9]*\) kB/\1/p' /proc/self/smaps 2>/dev/null | head -n 1)
    awk -v page="${page:-4}" '
        / HighMem / { next }
        { for (order = 0; order + 5 <= NF; order++) blocks[order] += $(order + 5); known = 1 }
        END {
            if (!known) { print 131072; exit }
            for (size = 1024; size > 16; size /= 2) {
                count = 0
                for (order = 0; order < 20; order++)
                    if (page * 2 ^ order >= size) count += blocks[order] * page * 2 ^ order / size
                if (count >= 4) break
            }
            print size * 1024
        }' /proc/buddyinfo 2>/dev/null || echo 131072
}

# Mount points of this gadget, in any mount namespace that can be seen. The kernel matches a mount's source with the
# tags by prefix, so a shorter source may be ours as well, unless it is another gadget's tag.
mounts_of_tag() {
    other_tags=
    for function in "$configfs"/usb_gadget/*/functions/usb9pfs.*; do other_tags="$other_tags ${function##*/usb9pfs.}"; done
    cat /proc/mounts /proc/[0-9]*/mounts 2>/dev/null | awk -v tag="$tag" -v others="$other_tags " -v socket="$run_dir/$tag.9p" '
        $3 == "9p" && $1 == socket && !seen[$2]++ || $3 == "9p" && $4 ~ /(^|,)trans=usbg(,|$)/ && ($1 == tag || index(tag, $1) == 1 && !index(others, " " $1 " ")) &&
            !seen[$2]++ {
                gsub(/\\040/, " ", $2); gsub(/\\011/, "\t", $2); gsub(/\\134/, "\\", $2); print $2 }'
}

# Remembers that the gadget has carried a mount, see the top of gadget.sh. Files are made by `true >FILE` here: POSIX shells end
# when a redirection of `:`, a special builtin, fails.
note_mount() {
    [ "$(id -u)" = 0 ] || return 0
    mkdir -p "$run_dir" && true >"$run_dir/$tag.mounted"
}

# Whether a mount waits for the host's answer: /proc/mounts does not have it yet.
mount_is_under_way() {
    { read -r mounter <"$run_dir/$tag.mounting"; } 2>/dev/null && is_alive "$mounter"
}

lost_mount="a mount waited for the host's answer when the cable was pulled, or the host reset the board; in Linux 6.12 such a mount never
 ends, and nothing can be mounted before the board is rebooted: reboot it"
lost_mount=$(printf '%s' "$lost_mount" | tr -d '\n')

check_lost() { [ ! -e "$run_dir/$tag.lost" ] || die 13 "$lost_mount"; }

# Before anything is made: afterwards a pulled cable means a panic, from the host's configuration until the mount.
check_mount_point() {
    grep -qw 9p /proc/filesystems || load 9p
    grep -qw 9p /proc/filesystems || lacks 9P_FS "there is no 9p file system"
    case $mount_point in -*) mount_point=./$mount_point ;; esac
    [ -d "$mount_point" ] || die 2 "there is no directory '$mount_point'"
    mount_point=$(readlink -f "$mount_point")
}

# Tries with a gadget of its own whether this kernel can make a usb9pfs, before a working gadget is taken apart for it. No tag
# has a ~.
try_usb9pfs() {
    its_gadget=$gadget gadget=$configfs/usb_gadget/~ code=0
    [ -n "$buflen" ] || buflen=$(default_buflen)
    # In a subshell, because the commands may end the shell.
    (
        { remove_gadget && mkdir "$gadget"; } || die 1 "can't make $gadget"
        make_function usb9pfs "usb9pfs.~"
    ) || code=$?
    remove_gadget
    gadget=$its_gadget
    [ $code = 0 ] || exit $code
}

# Takes the lock with the gadget up, usb9pfs in it, the host there and no mount under way.
prepare_mount() {
    joined=no
    while :; do
        check_lost
        wait_for_host
        take_lock
        [ "$(bound_controller)" = "$udc" ] || die 1 "'$tag' was taken down in the meantime"
        check_lost
        if mount_is_under_way; then
            release_lock
            [ $joined = yes ] || say "a mount of '$tag' waits for the host's answer already; waiting with it"
            joined=yes
            while mount_is_under_way && [ ! -e "$run_dir/$tag.lost" ]; do pause; done
        elif ! gadget_has usb9pfs; then
            is_deferred || die 5 "'$tag' is without usb9pfs: it has $(present_functions)"
            check_tag_is_free
            try_usb9pfs
            say "usb9pfs joins the gadget; the host sees it go and come back"
            unbind_and_unlink
            rm -f "$run_dir/$tag.deferred"
            put_usb9pfs_in
            release_lock
        else
            [ "$(host_state "$udc")" != configured ] || return 0
            release_lock
        fi
    done
}

do_mount() {
    check_mount_point
    prepare_mount
    mounted=$(mounts_of_tag)
    if printf '%s\n' "$mounted" | grep -Fqx -- "$mount_point"; then
        note_mount
        release_lock
        say "already mounted on $mount_point"
        return
    fi
    mounted=$(printf '%s\n' "$mounted" | head -n 1) # the others are binds of it
    [ -z "$mounted" ] || die 8 "'$tag' is mounted on $mounted already, and this kernel mounts a gadget once: unmount that," \
        "or show it there as well: mount --bind $(shell_word "$mounted") $(shell_word "$mount_point")"
    if [ -e "$run_dir/$tag.mounted" ] || [ -e "$run_dir/$tag.failed" ]; then
        say "'$tag' saw a mount before, and this kernel can't mount a gadget twice: making it anew, after one more"
        mount_9p
        take_lock
        umount "$mount_point" || die 1 "can't unmount $mount_point"
        renew_usb9pfs
        release_lock
        prepare_mount
    fi
    mount_9p
    say "mounted on $mount_point"
}

# One mount, in a process of its own that signals for this one don't reach: a mount must not be ended unanswered. That process
# also keeps the notes, so that they are right when this one has gone. Called with the lock, and gives it back.
mount_9p() {
    msize=$(read_line "$gadget/functions/usb9pfs.$tag/buflen")
    all_options="trans=usbg,version=9p2000.L,uname=root,access=client,cache=mmap,msize=$msize"
    all_options="$all_options${aname:+,aname=$aname}${options:+,$options}"
    disconnects=$(count_disconnects)
    true >"$run_dir/$tag.mounting" || die 1 "can't write to $run_dir"
    [ "$(host_state "$udc")" = configured ] || {
        rm -f "$run_dir/$tag.mounting"
        die 6 "the host went away; not mounting, that would make the kernel panic"
    }
    say "mounting '$tag' on $mount_point (this waits until a program on the host serves it: p9fwd serve ROOTFS)"
    (
        trap '' INT TERM HUP QUIT
        # Without a note nobody would know of the mount.
        if ! identify_process || ! echo "$own_id" >"$run_dir/$tag.mounting"; then
            rm -f "$run_dir/$tag.mounting"
            exit 2
        fi
        rm -f "$run_dir/$tag.mounted"
        code=0
        mount -t 9p -o "$all_options" "$tag" "$mount_point" || code=1
        if [ $code = 0 ]; then
            note_mount
            watch_cable # here, as whoever asked for the mount may be gone by now
        else
            true >"$run_dir/$tag.failed"
        fi
        rm -f "$run_dir/$tag.mounting"
        exit $code
    ) &
    mount_process=$!
    while [ -e "$run_dir/$tag.mounting" ] && [ ! -s "$run_dir/$tag.mounting" ]; do pause; done
    release_lock
    trap 'say "broken off; the mount itself can not be, and goes on when the host serves it"; exit 130' INT TERM HUP
    trap 'check_lost' USR1
    identify_process
    watch_mount "$own_id"
    code=0
    wait $mount_process || code=$?
    case $code in
        0) ;;
        2) die 1 "can't write to $run_dir: full, or read-only?" ;;
        *)
            hint=
            [ -z "$aname" ] || hint=" --aname is the name of an export: p9fwd serve ROOTFS --export $aname=DIR on the host."
            die 7 "mounting failed with the options $all_options.$hint The kernel's log (dmesg) may say more"
            ;;
    esac
    trap - INT TERM HUP USR1
}

# How often the driver has said that a message was lost with the connection.
count_disconnects() { dmesg 2>/dev/null | grep -F "configfs-gadget.$tag " | grep -c 'usb9pfs complete --> -'; }

# watch_mount ID: watches for the events that a waiting mount does not survive (see gadget.sh), and tells process ID. The
# controller's state tells quickly, but some controllers (dummy_hcd) stay "configured" while the cable is out; then the kernel's
# log has it.
watch_mount() {
    (
        trap '' HUP INT TERM
        cd / || exit
        looks=0
        while mount_is_under_way; do
            { read -r state_now <"$udc_class/$udc/state"; } 2>/dev/null || state_now=configured
            case $state_now in
                configured | suspended) ;;
                *)
                    # Off the bus, while no configuration is set: the next pulled cable would panic.
                    { echo disconnect >"$udc_class/$udc/soft_connect"; } 2>/dev/null
                    lose_mount "$1"
                    exit
                    ;;
            esac
            looks=$(((looks + 1) % 20))
            if [ $looks = 0 ] && [ ! -e "$run_dir/$tag.lost" ] && [ "$(count_disconnects)" -gt "$disconnects" ]; then lose_mount "$1"; fi
            sleep 0.05 || usleep 50000 || sleep 1
        done
    ) </dev/null >/dev/null 2>&1 &
}

lose_mount() {
    true >"$run_dir/$tag.lost"
    ! is_alive "$1" || kill -USR1 "${1%%.*}"
}

# In this mount namespace; no process is started.
is_mounted_here() {
    while read -r source _ kind _; do
        [ "$source:$kind" != "$tag:9p" ] || return 0
    done </proc/mounts
    return 1
} 2>/dev/null

# A host that configures the gadget again after the last unmount brings back the pointer that panics, see the top of
# gadget.sh; the next mount's first message clears it. Only the state in between shows it: for some 50 ms at a reset, and
# as long as a cable is out. So a process watches the state from the second after the unmount on, until the next mount or
# `down`; the file TAG.watching says that it does. In an initramfs the process ends with that: /proc/mounts and the note are
# gone.
watch_cable() {
    (
        trap '' HUP INT
        trap - TERM QUIT
        cd / || exit
        while is_mounted_here; do sleep 1 || exit; done
        [ ! -e "$run_dir/$tag.mounted" ] || true >"$run_dir/$tag.watching"
        while [ -e "$run_dir/$tag.mounted" ] && read -r state_now <"$udc_class/$udc/state"; do
            case $state_now in
                configured | suspended) ;;
                *)
                    true >"$run_dir/$tag.failed"
                    rm -f "$run_dir/$tag.mounted"
                    ;;
            esac
            sleep 0.05 || usleep 50000 || exit
        done
        rm -f "$run_dir/$tag.watching"
    ) </dev/null >/dev/null 2>&1 &
}
