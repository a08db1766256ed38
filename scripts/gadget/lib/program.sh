# The function usb9pfs by a program, p9gadget, where the kernel has no driver for it: FunctionFS on the side of the cable, and a
# socket that the kernel's 9P client mounts. Nothing that a cable or a host does to it is dangerous.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others

# Sets $program, or nothing where there is none.
find_program() {
    program=$(command -v p9gadget) || program=
    [ -n "$program" ] || [ ! -x "$USB9PFS_GADGET_LIB/p9gadget" ] || program=$USB9PFS_GADGET_LIB/p9gadget
}

# What this board lacks for the program, in words; nothing if it will do.
program_lacks() {
    find_program
    if [ -z "$program" ]; then
        echo "there is no p9gadget in PATH or in $USB9PFS_GADGET_LIB; scripts/gadget/build makes it"
        return
    fi
    # A kernel with FunctionFS does not show it before there is such a function. No tag has a ~.
    probe=$configfs/usb_gadget/~program
    rmdir "$probe/functions/ffs.~" "$probe" 2>/dev/null # of one that was killed here
    if ! { mkdir "$probe" && mkdir "$probe/functions/ffs.~"; } 2>/dev/null; then
        [ ! -d "$probe" ] || rmdir "$probe"
        echo "the kernel has no FunctionFS: CONFIG_USB_CONFIGFS_F_FS"
        return
    fi
    rmdir "$probe/functions/ffs.~" "$probe"
    grep -qw 9p /proc/filesystems || load 9p
    load 9pnet_fd
    # A trial mount says it too, but leaves a line in the kernel's log.
    grep -q ' p9_fd_create_unix\>' /proc/kallsyms 2>/dev/null && return
    mkdir -p "$run_dir"
    code=0
    why=$("$program" mount "$run_dir/none" "$run_dir" 2>&1) || code=$? # there is no such socket: 8
    [ $code = 8 ] || echo "the kernel has no 9P over sockets, CONFIG_NET_9P_FD and CONFIG_9P_FS: ${why#*: }"
}

# Sets $driver: the kernel's own, or the program.
settle_driver() {
    driver=kernel
    case $wanted_driver in
        kernel) ;;
        program)
            lacking=$(program_lacks)
            [ -z "$lacking" ] || die 3 "--driver program: $lacking"
            driver=program
            ;;
        *)
            [ -n "$(program_lacks)" ] || driver=program
            ;;
    esac
    find_program
}

# Whether the gadget's usb9pfs is the program's.
is_by_program() { [ -d "$gadget/functions/ffs.$tag" ]; }

# The messages take eleven times this, which is never given back. The kernel's client takes each of its own in one piece, which
# may fail where memory is short (seen: 256 KiB with 160 MiB): a 2000th of the memory at most for one.
program_msize() {
    awk '/^MemTotal:/ { memory = $2 * 1024 }
        END { for (size = 1048576; size > 65536 && size > memory / 2048; size /= 2); print size }' /proc/meminfo
}

# Between linking the function and binding the gadget.
start_program() {
    { mkdir -p "$run_dir/$tag.ffs" && mount -t functionfs "$tag" "$run_dir/$tag.ffs"; } || give_up 1 "can't mount FunctionFS"
    code=0
    "$program" serve --msize "$buflen" --pid "$run_dir/$tag.pid" "$run_dir/$tag.ffs" "$run_dir/$tag.9p" || code=$?
    [ $code = 0 ] || give_up $code "p9gadget has not started, see above"
    echo "$buflen" >"$run_dir/$tag.msize"
}

# Sets $server, the program's process; 1 if it is not there. Its number changes when another of its processes takes its place.
find_server() {
    server=$(read_line "$run_dir/$tag.pid")
    [ -n "$server" ] && { tr '\0' '\n' <"/proc/$server/cmdline"; } 2>/dev/null | grep -Fqx -- "$run_dir/$tag.pid"
}

# Ends the program; 1 if it refuses, because its file system is mounted.
end_server() {
    tries=0
    while find_server; do
        [ $((tries % 10)) != 0 ] || kill "$server" 2>/dev/null
        tries=$((tries + 1))
        [ $tries -le 50 ] || return 1
        pause
    done
}

# After the gadget was unbound.
stop_program() {
    end_server || die 8 "p9gadget does not end (process $server): its file system is mounted"
    # Its processes may need a moment to end.
    tries=0
    while grep -q " $run_dir/$tag.ffs functionfs " /proc/mounts && ! umount "$run_dir/$tag.ffs" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -le 50 ] || return 1
        pause
    done
    [ ! -d "$run_dir/$tag.ffs" ] || rmdir "$run_dir/$tag.ffs"
    rm -f "$run_dir/$tag.pid" "$run_dir/$tag.msize" "$run_dir/$tag.9p"
}

# Breaks off the mount that waits for its answer, and with it what its client waits for: only the program can end that.
break_mount_off() {
    { read -r mounter <"$run_dir/$tag.mounting"; } 2>/dev/null || return 0
    ! is_alive "$mounter" || kill -KILL "${mounter%%.*}" 2>/dev/null
    [ -n "$(mounts_of_tag)" ] || ! find_server || kill -USR1 "$server" 2>/dev/null
    rm -f "$run_dir/$tag.mounting"
}

# The second half of `up --mount`. Called without the lock.
mount_by_program() {
    mounted=$(mounts_of_tag)
    if printf '%s\n' "$mounted" | grep -Fqx -- "$mount_point"; then
        say "already mounted on $mount_point"
        return
    fi
    mounted=$(printf '%s\n' "$mounted" | head -n 1)
    [ -z "$mounted" ] || die 8 "'$tag' is mounted on $mounted already, and a gadget is mounted once: unmount that," \
        "or show it there as well: mount --bind $(shell_word "$mounted") $(shell_word "$mount_point")"
    find_program
    [ -n "$program" ] || die 3 "there is no p9gadget in PATH or in $USB9PFS_GADGET_LIB"
    [ -z "$timeout" ] || wait_for_host
    all_options="msize=$(read_line "$run_dir/$tag.msize")${aname:+,aname=$aname}"
    # What is written for the kernel's driver goes for the program as well.
    more=$(printf '%s' "$options" | sed 's/\(^\|,\)trans=usbg\(,\|$\)/,/g;s/\(^\|,\)trans=usbg\(,\|$\)/,/g;s/^,//;s/,$//')
    all_options="$all_options${more:+,$more}"
    take_lock
    if mount_is_under_way; then
        release_lock
        die 8 "another mount of '$tag' waits for the host's answer"
    fi
    find_server || die 1 "p9gadget has ended; take '$tag' down, and up again"
    say "mounting '$tag' on $mount_point (this waits until a program on the host serves it: p9fwd serve ROOTFS)"
    (
        identify_process
        echo "$own_id" >"$run_dir/$tag.mounting"
        # After an unmount the socket is there again in a moment.
        tries=0
        while [ ! -e "$run_dir/$tag.9p" ] && [ $tries -lt 50 ]; do
            tries=$((tries + 1))
            pause
        done
        exec "$program" mount -o "$all_options" "$run_dir/$tag.9p" "$mount_point"
    ) &
    mount_process=$!
    while kill -0 $mount_process 2>/dev/null && [ ! -s "$run_dir/$tag.mounting" ]; do pause; done
    release_lock
    trap 'break_mount_off; say "broken off"; exit 130' INT TERM HUP
    code=0
    wait $mount_process || code=$?
    trap - INT TERM HUP
    rm -f "$run_dir/$tag.mounting"
    case $code in
        0) say "mounted on $mount_point" ;;
        8) die 8 "another mount of '$tag' waits for the host's answer" ;;
        *)
            hint=
            [ -z "$aname" ] || hint=" --aname is the name of an export: p9fwd serve ROOTFS --export $aname=DIR on the host."
            die 7 "mounting failed with the options $all_options.$hint The kernel's log (dmesg) may say more"
            ;;
    esac
}
