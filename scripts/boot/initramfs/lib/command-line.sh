# What the kernel's command line and the boot loader's bootconfig say about the root, docs/initramfs.md.
# shellcheck shell=sh disable=SC2034 # the settings are read elsewhere

bootconfig=/proc/bootconfig

# read_command_line [FILE]: sets the variables below. $problem is a mistake that no retry can mend. The command line wins over the
# bootconfig.
read_command_line() {
    root='' access=ro rootflags='' init='' quiet='' ip_setting=''
    udc='' serial='' buflen='' functions='' for_host='' overlay='' shell='' timeout='' retry=10
    problem='' ignored=''
    read_bootconfig
    source="the kernel's command line" given_functions=$functions functions=''
    set -f
    # shellcheck disable=SC2046 # into words
    set -- $(cat "${1:-/proc/cmdline}")
    set +f
    for word; do
        [ "$word" != -- ] || break # the rest is for the board's init
        read_word
    done
    : "${functions:=$given_functions}"
    read_rootflags
    # rsinit's form: root= names the controller; without root= the controller names the tag.
    [ -n "$udc" ] || [ -z "$root" ] || [ ! -e "/sys/class/udc/$root" ] || udc=$root
    case $root in
        -* | . | .. | *[!A-Za-z0-9._-]*)
            wrong "root=$root is not a tag of a USB gadget: those are of A-Z a-z 0-9 . _ and -. Leave root= out, or give" \
                "the board a name"
            ;;
        ????????????????????????????????*) wrong "root=$root is longer than 31 characters, the most a tag may have" ;;
    esac
}

# $word, of the command line, or made of a line of the bootconfig.
read_word() {
    value=${word#*=}
    case $word in
        root=*) root=$value ;;
        rootfstype=*) case ,$value, in *,9p,*) ;; *) not_ours "rootfstype=$value" "it must be 9p" ;; esac ;;
        rootflags=*) rootflags=$value ;;
        ro | rw) access=$word ;;
        init=*) init=$value ;;
        quiet) quiet=yes ;;
        ip=* | usb9pfs.ip=*) ip_setting=$value ;;
        usb9pfs.udc=*) udc=$value ;;
        usb9pfs.serial=*) serial=$value ;;
        usb9pfs.buflen=*) buflen=$value ;;
        usb9pfs.function=*) functions="$functions $(printf '%s' "$value" | tr ',' ' ')" ;;
        usb9pfs.for=*) for_host=$value ;;
        usb9pfs.overlay=tmpfs) overlay=tmpfs ;;
        usb9pfs.overlay=*) wrong "$word: the one kind there is is usb9pfs.overlay=tmpfs" ;;
        usb9pfs.shell | usb9pfs.shell=failure) shell=failure ;;
        usb9pfs.shell=now) shell=now ;;
        usb9pfs.timeout=*) check_seconds && timeout=$value ;;
        usb9pfs.retry=*) check_seconds && retry=$value ;;
        usb9pfs.*) ignored="$ignored $word" ;;
    esac
}

# Values may have blanks, so each is one word here.
read_bootconfig() {
    source=$bootconfig
    [ -r "$bootconfig" ] || return 0
    # shellcheck source=../../../gadget/lib/bootconfig.sh
    . "${USB9PFS_GADGET_LIB:-/usr/lib/usb9pfs-gadget}/bootconfig.sh"
    settings=$(bootconfig_settings "$bootconfig") || { wrong "$settings" && return; }
    while IFS= read -r line; do
        name=${line%% *} value=${line#* }
        case $name:$value in
            :) continue ;;
            tag:*) word=root=$value ;;
            rootflags:*) word=rootflags=$value ;;
            shell:) word=usb9pfs.shell ;;
            function:usb9pfs) continue ;; # here it is always there
            # usb9pfs-gadget reads these itself.
            id:* | manufacturer:* | product:* | interface:* | endpoints:* | host-mac:* | dev-mac:* | driver:*) continue ;;
            *) word=usb9pfs.$name=$value ;;
        esac
        read_word
    done <<END
$settings
END
}

# The first of several.
wrong() { problem=${problem:-"$source: $*"}; }

not_ours() { wrong "$1, but this initramfs mounts its root by 9P over USB: $2"; }

check_seconds() {
    case $value in
        "" | *[!0-9]* | ?????????*) wrong "$word is not a number of seconds" && return 1 ;;
    esac
    # The shell's arithmetic takes 08 for a malformed octal number.
    while :; do case $value in 0?*) value=${value#0} ;; *) return 0 ;; esac; done
}

# access=0, as in the kernel's documentation, lets only root in: dbus, and every service with a user of its own, would fail with
# EPERM. Nobody wants such a root.
read_rootflags() {
    mount_options='' replaced=''
    set -f
    # shellcheck disable=SC2046 # into words
    set -- $(printf '%s' "$rootflags" | tr ',' ' ')
    set +f
    for option; do
        case $option in
            trans=usbg) continue ;;
            trans=*) not_ours "rootflags=...$option" "it must be trans=usbg" && continue ;;
            ro | rw) access=$option && continue ;;
            access=0 | access=single) replaced=$option && option=access=client ;;
        esac
        mount_options="$mount_options${mount_options:+,}$option"
    done
}
