# What can be set, and which values are refused.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others

# The program's options set these and everything here reads them.
gadget_defaults() {
    tag=usb9pfs udc='' id='' serial='' manufacturer='' product='' buflen=''
    mount_point='' options='' aname='' timeout='' wait=yes force=no json=no
}

# Ends with exit code 2 when one is not possible; call it before anything but gadget_defaults.
check_settings() {
    case $tag in
        "" | . | .. | -* | *[!A-Za-z0-9._-]*) bad_arguments "the tag '$tag' may only have A-Z a-z 0-9 . _ and -" ;;
    esac
    [ ${#tag} -le 31 ] || bad_arguments "the tag '$tag' is longer than 31 characters"
    case $id in
        "") ;;
        [0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]:[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]) ;;
        *) bad_arguments "the id '$id' must be four hex digits, a colon, four hex digits" ;;
    esac
    case $buflen in
        "") ;;
        *[!0-9]* | ????????*) bad_arguments "the buflen '$buflen' must be a number from 4096 to 1048576" ;;
        # Less than 4096 and the kernel refuses to mount; more than 1 MiB gains nothing and asks for luck with memory.
        *) { [ "$buflen" -ge 4096 ] && [ "$buflen" -le 1048576 ]; } || bad_arguments "the buflen $buflen is not in 4096 to 1048576" ;;
    esac
    case $timeout in
        *[!0-9]*) bad_arguments "the timeout '$timeout' must be whole seconds" ;;
    esac
    case $aname in
        *,*) bad_arguments "a comma can't be part of --aname: it separates mount options" ;;
    esac
    for text in "$serial" "$manufacturer" "$product"; do
        # The kernel's USB_MAX_STRING_LEN.
        [ ${#text} -le 126 ] || bad_arguments "'$text' is longer than 126 characters"
    done
    if [ "$wait" = no ] && [ -n "$mount_point" ]; then bad_arguments "--mount must wait for the host, so not with --no-wait"; fi
    gadget=$configfs/usb_gadget/$tag
}
