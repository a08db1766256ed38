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
    cat /proc/mounts /proc/[0-9]*/mounts 2>/dev/null | awk -v tag="$tag" -v others="$other_tags " '
        $3 == "9p" && $4 ~ /(^|,)trans=usbg(,|$)/ && ($1 == tag || index(tag, $1) == 1 && !index(others, " " $1 " ")) &&
            !seen[$2]++ { gsub(/\\040/, " ", $2); print $2 }'
}

# Remembers that the gadget has carried a mount, see the top of gadget.sh.
note_mount() {
    [ "$(id -u)" = 0 ] || return 0
    mkdir -p "$run_dir" && : >"$run_dir/$tag.mounted"
}

# Whether a mount waits for the host's answer: /proc/mounts does not have it yet.
mount_is_under_way() {
    mounter=$(read_line "$run_dir/$tag.mounting")
    [ -n "$mounter" ] && kill -0 "$mounter" 2>/dev/null
}

do_mount() {
    grep -qw 9p /proc/filesystems || load 9p
    grep -qw 9p /proc/filesystems || lacks 9P_FS "there is no 9p file system"
    [ -d "$mount_point" ] || die 2 "there is no directory '$mount_point'"
    mount_point=$(readlink -f "$mount_point")
    if mount_is_under_way; then
        say "a mount of '$tag' waits for the host's answer already; waiting with it"
        while mount_is_under_way; do pause; done
    fi
    mounted=$(mounts_of_tag)
    if printf '%s\n' "$mounted" | grep -Fqx -- "$mount_point"; then
        note_mount
        say "already mounted on $mount_point"
        return
    fi
    [ -z "$mounted" ] || die 8 "'$tag' is mounted on $mounted already, and this kernel mounts a gadget once: unmount that," \
        "or show it there as well: mount --bind $mounted $mount_point"
    if [ -e "$run_dir/$tag.mounted" ] || [ -e "$run_dir/$tag.failed" ]; then
        say "'$tag' saw a mount before, and this kernel can't mount a gadget twice: making it anew, after one more"
        mount_9p
        umount "$mount_point" || die 1 "can't unmount $mount_point"
        renew_usb9pfs
        wait_for_host
    fi
    mount_9p
}

# One mount, in a process of its own that no signal meant for this one reaches: it must not be ended unanswered. That
# process also keeps the notes, so that they are right when this one has gone.
mount_9p() {
    msize=$(read_line "$gadget/functions/usb9pfs.$tag/buflen")
    all_options="trans=usbg,version=9p2000.L,uname=root,access=client,cache=mmap,msize=$msize"
    all_options="$all_options${aname:+,aname=$aname}${options:+,$options}"
    [ "$(host_state "$udc")" = configured ] || die 6 "the host went away; not mounting, that would make the kernel panic"
    say "mounting '$tag' on $mount_point (this waits until a program on the host serves it: p9fwd serve ROOTFS)"
    mkdir -p "$run_dir"
    trap 'say "broken off; the mount itself can not be, and goes on when the host serves it"; exit 130' INT TERM HUP
    (
        trap '' INT TERM HUP QUIT
        read -r own _ </proc/self/stat && echo "$own" >"$run_dir/$tag.mounting"
        rm -f "$run_dir/$tag.mounted"
        code=0
        mount -t 9p -o "$all_options" "$tag" "$mount_point" || code=1
        if [ $code = 0 ]; then note_mount; else : >"$run_dir/$tag.failed"; fi
        rm -f "$run_dir/$tag.mounting"
        exit $code
    ) &
    wait $! || die 7 "mounting failed with the options $all_options. The kernel's log (dmesg) may say more"
    trap - INT TERM HUP
    watch_cable
}

# In this mount namespace; no process is started.
is_mounted_here() {
    while read -r source _ kind _; do
        [ "$source:$kind" != "$tag:9p" ] || return 0
    done </proc/mounts
    return 1
} 2>/dev/null

# A host that configures the gadget again after the last unmount brings back the pointer that panics, see the top of
# gadget.sh; the next mount's first message clears it. All there is to see is the state in between: some 50 ms at a
# reset, and as long as a cable is out. So a process looks at it from the second after the unmount on, until the next mount or
# `down`; the file TAG.watching says that it does. In an initramfs it ends where that does: there is no /proc/mounts and no
# note any more.
watch_cable() {
    (
        trap '' HUP INT
        cd / || exit
        while is_mounted_here; do sleep 1 || exit; done
        [ ! -e "$run_dir/$tag.mounted" ] || : >"$run_dir/$tag.watching"
        while [ -e "$run_dir/$tag.mounted" ] && read -r state_now <"$udc_class/$udc/state"; do
            case $state_now in
                configured | suspended) ;;
                *)
                    : >"$run_dir/$tag.failed"
                    rm -f "$run_dir/$tag.mounted"
                    ;;
            esac
            sleep 0.05 || usleep 50000 || exit
        done
        rm -f "$run_dir/$tag.watching"
    ) </dev/null >/dev/null 2>&1 &
}
