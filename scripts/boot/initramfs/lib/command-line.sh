# What the kernel's command line says about the root, docs/initramfs.md.
# shellcheck shell=sh disable=SC2034 # the settings are read elsewhere

# read_command_line [FILE]: sets the variables below. $problem is a mistake that no retry can mend.
read_command_line() {
    root='' access=ro rootflags='' init='' quiet='' ip_setting=''
    udc='' serial='' buflen='' functions='' for_host='' overlay='' shell='' timeout='' retry=10
    problem='' ignored=''
    set -f
    # shellcheck disable=SC2046 # into words
    set -- $(cat "${1:-/proc/cmdline}")
    set +f
    for word; do
        value=${word#*=}
        case $word in
            --) break ;; # the rest is for the board's init
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
    done
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

# The first of several.
wrong() { problem=${problem:-"the kernel's command line: $*"}; }

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
