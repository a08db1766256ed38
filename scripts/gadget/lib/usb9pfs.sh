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
# tags by prefix, so a shorter source may be ours as well.
mounts_of_tag() {
    cat /proc/mounts /proc/[0-9]*/mounts 2>/dev/null | awk -v tag="$tag" '
        $3 == "9p" && $4 ~ /(^|,)trans=usbg(,|$)/ && index(tag, $1) == 1 && !seen[$2]++ { print $2 }'
}

# Remembers that the gadget has carried a mount, see the top of this file.
note_mount() {
    [ "$(id -u)" = 0 ] || return 0
    mkdir -p "$run_dir" && : >"$run_dir/$tag.mounted"
}

do_mount() {
    if mounts_of_tag | grep -Fqx -- "$mount_point"; then
        note_mount
        say "already mounted on $mount_point"
        return
    fi
    grep -qw 9p /proc/filesystems || load 9p
    grep -qw 9p /proc/filesystems || lacks 9P_FS "there is no 9p file system"
    [ -d "$mount_point" ] || die 2 "there is no directory '$mount_point'"
    msize=$(read_line "$gadget/functions/usb9pfs.$tag/buflen")
    all_options="trans=usbg,version=9p2000.L,uname=root,access=client,cache=mmap,msize=$msize"
    all_options="$all_options${aname:+,aname=$aname}${options:+,$options}"
    [ "$(host_state "$udc")" = configured ] || die 6 "the host went away; not mounting, that would make the kernel panic"
    say "mounting '$tag' on $mount_point (this waits until a program on the host serves it: p9fwd serve ROOTFS)"
    mount -t 9p -o "$all_options" "$tag" "$mount_point" ||
        die 7 "mounting failed with the options $all_options. The kernel's log (dmesg) may say more"
    note_mount
}
