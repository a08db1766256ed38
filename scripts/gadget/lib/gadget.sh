# Making and removing the gadget. The program sources this file, and this file the others; so may an initramfs hook:
#
#   USB9PFS_GADGET_LIB=/usr/lib/usb9pfs-gadget
#   . "$USB9PFS_GADGET_LIB/gadget.sh"
#   gadget_defaults
#   set_setting tag root && set_setting function ncm && set_setting function usb9pfs && set_setting mount /newroot
#   (check_settings && do_up) || code=$?
#
# Entry points. They end the shell with the program's exit codes on an error, hence the subshell:
#
#   gadget_defaults          all settings to their defaults; first
#   set_setting NAME VALUE   NAME is an option of `up` that takes a value, without --; 1 for an unknown one. Further ones
#                            are variables: wait=no, defer=yes, force=yes, json=yes
#   load_bootconfig          settings from the boot loader, where they are not set yet; before those of a file
#   load_config FILE         settings from a file, where they are not set yet
#   check_settings           checks them all; before the following
#   do_up  do_down  do_status   what the program's verbs do
#   check_budget             `up`'s first part alone, after settle_functions and choose_controller: 12 for too many endpoints
#   wait_for_host  do_mount  `up`'s last two parts, for a gadget that is up: after udc=$(bound_controller)
#
# Messages go to standard error. The names of functions and variables here may clash with a hook's own: another reason
# for the subshell.
#
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others
#
# What the kernel (Linux 6.12 net/9p/trans_usbg.c) forces on the order of things, each seen in the lab:
#
# - Mounting before the host has configured the gadget dereferences a request that does not exist yet: the kernel
#   panics. So `up --mount` mounts only once /sys/class/udc/UDC/state reads "configured".
# - That state is never reset when a gadget goes: "configured" may be a left-over of the gadget before. Only a bus
#   reset by the host changes it. So when it reads "configured" while binding, another state must be seen first; the
#   file TAG.stale in /run/usb9pfs-gadget remembers that it has not been, and names the process that looks out for it.
# - Between that moment and the first answered 9P message the request has a pointer that does not lead to a 9P request. A
#   disconnect then panics, and writing "" to the gadget's UDC file is a disconnect. Once a mount has succeeded the pointer
#   is cleared and taking the gadget down is safe. It is safe also while no host has configured it. sysfs does not tell
#   which of these holds, so this script notes every mount it makes or sees in /run/usb9pfs-gadget, and `down` refuses when
#   the gadget is configured and no mount was noted. A host that configures the gadget again, for instance after the cable
#   was out, brings back such a pointer: once a mount is gone a process watches for that, and takes the note away
#   (watch_cable).
# - Taking it down while mounted frees what the mount uses: refused, always.
# - An unanswered mount must not be killed: its message stays queued on the endpoint after its memory was freed.
#   So no timeout applies to the mount itself; `--timeout` is for the wait for the host. It is a process of its own,
#   named in the file TAG.mounting, that outlives this one.
# - A mount that was unanswered when the cable was pulled, or when the host reset the board, never ends: its message is lost
#   and nobody is told. It can't be ended either, since close would follow an old pointer. Only a reboot helps. A process
#   watches for that (watch_mount), writes the file TAG.lost, ends `up` with code 13, and takes the board off the bus as soon
#   as that is safe, because the next pull would panic.
# - buflen takes any number; the buffer is allocated (physically contiguous, atomically) when the host configures
#   the gadget, and a failure then is a fault the driver does not survive. So the size is chosen beforehand, by what
#   /proc/buddyinfo says is free.
# - Each mount, a failed one too, adds one more "may send" permit to the function and unmounting takes none away, so
#   from the second mount on two messages may be sent at once, which the driver can't do: EIO and EINVAL on the board,
#   or a hang, as soon as two programs use the mount. So `up --mount` after another mount makes the gadget anew; the
#   host sees it go and come back. Before that it mounts and unmounts the old gadget once, which is safe for one program
#   alone: after that the pointer is known to be cleared, even if the cable was out in between.
# - A pulled cable is a disconnect as well. If nobody has mounted the gadget's usb9pfs the kernel then panics, and no program
#   can prevent it. So --defer-usb9pfs leaves usb9pfs out of the gadget until a mount is asked for, and takes it out again
#   after the unmount.

: "${progname:=usb9pfs-gadget}"
configfs=/sys/kernel/config
udc_class=/sys/class/udc
run_dir=/run/usb9pfs-gadget
default_config=/etc/usb9pfs-gadget.conf
bootconfig=/proc/bootconfig

# shellcheck source=common.sh
. "$USB9PFS_GADGET_LIB/common.sh"
# shellcheck source=text.sh
. "$USB9PFS_GADGET_LIB/text.sh"
# shellcheck source=lock.sh
. "$USB9PFS_GADGET_LIB/lock.sh"
# shellcheck source=bootconfig.sh
. "$USB9PFS_GADGET_LIB/bootconfig.sh"
# shellcheck source=settings.sh
. "$USB9PFS_GADGET_LIB/settings.sh"
# shellcheck source=controllers.sh
. "$USB9PFS_GADGET_LIB/controllers.sh"
# shellcheck source=functions.sh
. "$USB9PFS_GADGET_LIB/functions.sh"
# shellcheck source=budget.sh
. "$USB9PFS_GADGET_LIB/budget.sh"
# shellcheck source=identity.sh
. "$USB9PFS_GADGET_LIB/identity.sh"
# shellcheck source=usb9pfs.sh
. "$USB9PFS_GADGET_LIB/usb9pfs.sh"
# shellcheck source=program.sh
. "$USB9PFS_GADGET_LIB/program.sh"
# shellcheck source=status.sh
. "$USB9PFS_GADGET_LIB/status.sh"
# shellcheck source=scheme.sh
. "$USB9PFS_GADGET_LIB/scheme.sh"

# Removes an unbound gadget, in the order configfs asks for. Harmless on half of one.
remove_gadget() {
    [ -d "$gadget" ] || return 0
    [ -z "$(read_line "$gadget/UDC")" ] || echo "" >"$gadget/UDC" || return 1 # of a controller that has gone
    stop_program || return 1
    for link in "$gadget"/os_desc/* "$gadget"/configs/*/*; do
        [ ! -L "$link" ] || rm "$link" || return 1
    done
    for directory in "$gadget"/configs/*/strings/* "$gadget"/configs/* "$gadget"/functions/* "$gadget"/strings/*; do
        [ ! -d "$directory" ] || rmdir "$directory" || return 1
    done
    rmdir "$gadget"
}

give_up() {
    remove_gadget
    die "$@"
}

# The kernel takes the first tag that begins with the mount's source.
check_tag_is_free() {
    for function in "$configfs"/usb_gadget/*/functions/usb9pfs.*; do
        [ -d "$function" ] || continue
        case $function in "$gadget"/*) continue ;; esac
        other=${function##*/usb9pfs.}
        case $other in
            "$tag"*) die 5 "the tag '$tag' is a prefix of '$other', which exists; the kernel would mount that one" ;;
        esac
    done
}

forget_notes() {
    rm -f "$run_dir/$tag.mounted" "$run_dir/$tag.failed" "$run_dir/$tag.mounting" \
        "$run_dir/$tag.watching" "$run_dir/$tag.stale" "$run_dir/$tag.lost" \
        "$run_dir/$tag.deferred"
}

build_gadget() {
    ! has_function usb9pfs || [ "$driver" = program ] || check_tag_is_free
    forget_notes
    half_made=yes
    mkdir "$gadget" || die 1 "can't make $gadget"
    {
        echo "0x${id%:*}" >"$gadget/idVendor" &&
            echo "0x${id#*:}" >"$gadget/idProduct" &&
            mkdir "$gadget/strings/0x409" &&
            printf '%s\n' "$serial" >"$gadget/strings/0x409/serialnumber" &&
            printf '%s\n' "$manufacturer" >"$gadget/strings/0x409/manufacturer" &&
            printf '%s\n' "$product" >"$gadget/strings/0x409/product" &&
            mkdir "$gadget/configs/c.1" &&
            describe_device
    } || give_up 1 "the kernel refused the gadget's description"
    network_number=0
    # shellcheck disable=SC2086 # a list of words
    set -- $functions
    for instance in $(instances); do
        make_function "$1" "$instance"
        ln -s "$gadget/functions/$instance" "$gadget/configs/c.1/" || give_up 1 "can't link '$instance' into the configuration"
        shift
    done
    ! is_by_program || start_program
    bind_controller
    half_made=no
}

failures_to_start() { dmesg 2>/dev/null | sed -n '/failed to start .*: -[0-9]*$/p'; }

# At binding the kernel hands out endpoints and registers network interfaces.
bind_controller() {
    failed_before=$(failures_to_start)
    watch_for_reset
    # By cat, which says which errno it was; some shells' own echo says "I/O error" for all.
    if ! refusal=$(printf '%s\n' "$udc" | LC_ALL=C cat 2>&1 >"$gadget/UDC"); then
        # The kernel's log often has a better errno than the EBUSY that comes from here; if it is of this try.
        failed_to_start=$(failures_to_start)
        [ "$failed_to_start" != "$failed_before" ] || failed_to_start=
        case $refusal:${failed_to_start##*: } in
            *"No such device"* | *:-19) refusal="19 ENODEV" ;;
            # Not an errno of user space: glibc says "Unknown error 524".
            *524*) refusal="524 ENOTSUPP" ;;
            *"annot allocate memory"* | *"ut of memory"* | *:-12) refusal="12 ENOMEM" ;;
            *:-16) refusal="16 EBUSY" ;;
            *:-*) refusal="the kernel's log says: $failed_to_start" ;;
            *busy*) refusal="16 EBUSY" ;;
        esac
        case $refusal in
            19* | 524*)
                # shellcheck disable=SC2086 # a list of words
                sum_endpoints $functions
                give_up 12 "controller '$udc' refused the gadget: errno $refusal, by which usb9pfs, the network functions, acm" \
                    "and hid (19) and mass_storage (524) say that no endpoint is left for them. Asked for: $functions, which take" \
                    "$sum_in IN + $sum_out OUT. Give fewer; --endpoints IN+OUT lets '$progname' say beforehand what fits"
                ;;
            12*) give_up 1 "controller '$udc' refused the gadget: errno $refusal, too little contiguous memory: try a smaller --buflen" ;;
            16*) give_up 5 "controller '$udc' refused the gadget: errno $refusal, it is in use" ;;
            *) give_up 1 "controller '$udc' refused the gadget: $refusal. The kernel's log (dmesg) may say more" ;;
        esac
    fi
}

# The function usb9pfs anew, see the top of this file; everything else of the gadget stays, network interfaces with
# their addresses too, but the host sees it all go and come back.
renew_usb9pfs() {
    [ -n "$buflen" ] || buflen=$(read_line "$gadget/functions/usb9pfs.$tag/buflen")
    take_usb9pfs_out
    put_usb9pfs_in
}

# Leaves the gadget unbound; put_usb9pfs_in and bind_rest bind it again.
take_usb9pfs_out() {
    unbind_and_unlink
    rmdir "$gadget/functions/usb9pfs.$tag" || die 1 "can't remove 'usb9pfs.$tag'"
    forget_notes
}

put_usb9pfs_in() {
    check_tag_is_free # it will stand behind all others
    [ -n "$buflen" ] || buflen=$(default_buflen)
    make_function usb9pfs "usb9pfs.$tag"
    bind_rest
}

unbind_and_unlink() {
    half_made=yes
    echo "" >"$gadget/UDC" || die 1 "the kernel did not release the controller '$udc'"
    for instance in $(present_instances); do
        rm "$gadget/configs/c.1/$instance" || die 1 "can't unlink '$instance'"
    done
}

bind_rest() {
    functions=$(present_functions)
    for instance in $(present_instances); do
        ln -s "$gadget/functions/$instance" "$gadget/configs/c.1/" || give_up 1 "can't link '$instance' into the configuration"
    done
    bind_controller
    half_made=no
}

# Whether usb9pfs is left out until a mount is asked for.
is_deferred() { [ -e "$run_dir/$tag.deferred" ]; }

without_usb9pfs() {
    others=
    for function in $1; do [ "$function" = usb9pfs ] || others="$others${others:+ }$function"; done
    printf '%s\n' "$others"
}

# A gadget without usb9pfs has no driver of it yet, unless it waits to join.
check_same_driver() {
    if is_by_program; then
        present_driver=program
    elif gadget_has usb9pfs || is_deferred; then
        present_driver=kernel
    else
        return 0
    fi
    case $wanted_driver in
        "" | auto | "$present_driver") return 0 ;;
    esac
    die 5 "'$tag' is up already, but its usb9pfs is by the driver '$present_driver', asked for is '$wanted_driver'. Take it down first:" \
        "$progname down --tag $tag"
}

# For a gadget that is up: the functions asked for must be those that it has. If none were asked for, any will do.
check_same() {
    [ -z "$udc" ] || [ "$udc" = "$bound" ] || die 5 "'$tag' is up already, but on controller '$bound'; take it down first"
    udc=$bound
    check_same_driver
    if [ -n "$functions$for_host" ]; then
        settle_functions
        present=$(present_functions)
        # What a hid was made of can't be read back as a file's name.
        asked=$(printf '%s\n' "$functions" | sed 's/hid:[^ ]*/hid/g')
        [ "$asked" = "$present" ] || { is_deferred && [ "$(without_usb9pfs "$asked")" = "$present" ]; } ||
            die 5 "'$tag' is up already, but with other functions: it has $present, asked for is $asked. Take it down first:" \
                "$progname down --tag $tag"
    elif [ -n "$mount_point" ] && ! gadget_has usb9pfs && ! is_deferred; then
        die 5 "'$tag' is up already, but without usb9pfs: it has $(present_functions). Take it down first: $progname down --tag $tag"
    fi
}

do_up() {
    require_root
    require_configfs
    [ -z "$mount_point" ] || check_mount_point
    take_lock
    [ -z "$(mounts_of_tag)" ] || note_mount
    bound=
    [ ! -d "$gadget" ] || bound=$(bound_controller)
    if [ -n "$bound" ]; then
        check_same
        say "'$tag' is already up on '$udc'"
    else
        settle_functions
        check_files
        remove_gadget || die 1 "a half-made gadget '$tag' is in the way: $gadget"
        choose_controller
        check_budget
        driver=kernel
        ! has_function usb9pfs || settle_driver
        put_off=no
        if [ "$driver" = kernel ] && [ "$defer" = yes ] && [ -z "$mount_point" ] && has_function usb9pfs; then
            put_off=yes
            functions=$(without_usb9pfs "$functions")
            if [ -z "$functions" ]; then
                say "'$tag' is usb9pfs alone: it is made when a mount is asked for ($progname up --mount DIR)"
                release_lock
                return
            fi
        fi
        if has_function usb9pfs && [ -z "$buflen" ]; then
            if [ "$driver" = program ]; then buflen=$(program_msize); else buflen=$(default_buflen); fi
        fi
        identify
        : "${id:=1d6b:0109}" "${manufacturer:=Linux}" "${product:=usb9pfs gadget}"
        build_gadget
        about="serial $serial"
        ! has_function usb9pfs || about="$about, buflen $buflen, driver: $driver"
        [ $put_off = no ] || note_deferred
        say "'$tag' is up on '$udc' ($about): $functions"
        [ $put_off = no ] || say "usb9pfs joins when a mount is asked for ($progname up --mount DIR)"
        list_networks "$progname: %s is interface %s, MAC %s; the host's end has MAC %s\n" | sed "s/; the host's end has MAC $//" >&2
    fi
    release_lock
    if [ -n "$mount_point" ]; then
        if is_by_program; then mount_by_program; else do_mount; fi
        return
    fi
    [ "$wait" = no ] || wait_for_host
    if gadget_has usb9pfs && ! is_by_program && [ ! -e "$run_dir/$tag.mounted" ]; then
        say "a host is there or may come: as long as nobody mounts it, Linux 6.12 panics when the cable is pulled. Mount it" \
            "('$progname up --tag $tag --mount DIR'), or leave usb9pfs out until then (--defer-usb9pfs)"
    fi
}

note_deferred() { true >"$run_dir/$tag.deferred" || die 1 "can't write to $run_dir"; }

# Says whether taking the gadget down is known not to panic the kernel, see the top of this file.
down_is_safe() {
    [ -n "$1" ] || return 0
    gadget_has usb9pfs && ! is_by_program || return 0
    ! mount_is_under_way || return 1
    [ ! -e "$run_dir/$tag.mounted" ] || return 0
    case $(host_state "$1") in
        configured | suspended) return 1 ;;
    esac
    reset_is_watched
}

do_down() {
    require_root
    take_lock
    if [ ! -d "$gadget" ]; then
        release_lock
        say "'$tag' is not up"
        return
    fi
    if [ "$only" = usb9pfs ] && ! gadget_has usb9pfs; then
        release_lock
        say "'$tag' has no usb9pfs"
        return
    fi
    mounted=$(mounts_of_tag)
    if [ -n "$mounted" ]; then
        note_mount
        die 8 "still mounted, unmount first: umount $mounted"
    fi
    if is_by_program; then
        if [ "$only" = usb9pfs ]; then
            release_lock
            say "usb9pfs stays in '$tag': with the program nothing is dangerous about it"
            return
        fi
        # While the gadget is bound: if the program refuses, all stays as it is.
        break_mount_off
        end_server || die 8 "not taking '$tag' down: p9gadget does not end, as its file system is mounted"
    fi
    bound=$(bound_controller)
    [ ! -e "$run_dir/$tag.lost" ] || [ "$force" = yes ] || die 9 "not taking '$tag' down: $lost_mount"
    if ! down_is_safe "$bound"; then
        if [ "$force" = yes ]; then
            say "the gadget is configured and was not mounted since; going on as told"
        else
            die 9 "not taking '$tag' down: the host has configured it (or may have) and no mount was seen since. In this state the driver" \
                "of Linux 6.12 panics when the gadget goes. Serve it from the host and mount and unmount it once" \
                "('$progname up --tag $tag --mount DIR; umount DIR'), pull no cable, or reboot. --force overrides"
        fi
    fi
    if [ "$only" = usb9pfs ] && [ -n "$bound" ] && [ "$(present_functions)" != usb9pfs ]; then
        udc=$bound
        take_usb9pfs_out
        note_deferred
        bind_rest
        release_lock
        say "'$tag' is without usb9pfs until a mount is asked for: $functions"
        return
    fi
    if [ -n "$bound" ]; then
        echo "" >"$gadget/UDC" || die 1 "the kernel did not release the controller '$bound'"
    fi
    remove_gadget || die 1 "could not remove all of $gadget"
    forget_notes
    release_lock
    say "'$tag' is down"
}
