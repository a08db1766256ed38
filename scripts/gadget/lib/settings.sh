# What can be set, and which values are refused.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others

# The program's options set these and everything here reads them.
gadget_defaults() {
    tag='' udc='' id='' serial='' manufacturer='' product='' buflen=''
    functions='' for_host='' host_mac='' dev_mac='' interface='' endpoints=''
    mount_point='' options='' aname='' timeout='' wait=yes defer=no only='' force=no json=no config='' wanted_driver=''
}

# The variable of an option with a value, of the command line or the configuration file.
variable_of() {
    case $1 in
        tag | udc | id | serial | manufacturer | product | buflen | interface | endpoints | aname | timeout) variable=$1 ;;
        host-mac) variable=host_mac ;;
        dev-mac) variable=dev_mac ;;
        for) variable=for_host ;;
        function) variable=functions ;;
        mount) variable=mount_point ;;
        driver) variable=wanted_driver ;;
        options) variable=options ;;
        *) return 1 ;;
    esac
}

# set_setting NAME VALUE; a function is added to those before.
set_setting() {
    variable_of "$1" || return 1
    if [ "$1" = function ]; then
        check_function "$2"
        functions="$functions${functions:+ }$2"
    else
        eval "$variable=\$2"
    fi
}

# set_unless_given NAME VALUE: set_setting, where nothing is set yet. $given_functions are those of before.
set_unless_given() {
    if [ "$1" = function ]; then
        [ -z "$given_functions" ] || return 0
    else
        variable_of "$1"
        eval "current=\$$variable"
        [ -z "$current" ] || return 0
    fi
    set_setting "$1" "$2"
}

# Settings from the boot loader. What is set already, by the command line, wins.
load_bootconfig() {
    [ -r "$bootconfig" ] || return 0
    settings=$(bootconfig_settings "$bootconfig") || die 2 "$bootconfig: $settings"
    given_functions=$functions
    while IFS= read -r line; do
        name=${line%% *}
        case $name in
            "" | rootflags | overlay | shell | timeout | retry | ip) continue ;; # the initramfs's
        esac
        if variable_of "$name"; then
            set_unless_given "$name" "${line#* }"
        else
            say "$bootconfig: there is no setting 'usb9pfs.$name'; going on without it"
        fi
    done <<END
$settings
END
}

# Reads "NAME = VALUE" lines; never runs them. What is set already, by the command line or the boot loader, wins.
load_config() {
    { [ -r "$1" ] && [ ! -d "$1" ]; } || bad_arguments "the configuration file '$1' can't be read"
    given_functions=$functions line_number=0
    while IFS= read -r line || [ -n "$line" ]; do
        line_number=$((line_number + 1))
        line=$(printf '%s' "$line" | sed 's/^[[:space:]]*//;s/[[:space:]]*$//')
        case $line in
            "" | "#"*) continue ;;
            *=*) ;;
            *) die 2 "$1, line $line_number: '$line' is not of the form name = value" ;;
        esac
        name=$(printf '%s' "${line%%=*}" | sed 's/[[:space:]]*$//')
        value=$(printf '%s' "${line#*=}" | sed 's/^[[:space:]]*//')
        variable_of "$name" || die 2 "$1, line $line_number: unknown name '$name'; names are the options of 'up', without --"
        set_unless_given "$name" "$value"
    done <"$1"
}

check_mac() {
    hex='[0-9a-fA-F]'
    # shellcheck disable=SC2254 # patterns
    case $2 in
        "" | ${hex}[02468aceACE]:$hex$hex:$hex$hex:$hex$hex:$hex$hex:$hex$hex) ;;
        *) bad_arguments "$1 '$2' is not the MAC address of one interface, such as 02:12:34:56:78:9a" ;;
    esac
}

interface_is_bad() { bad_arguments "--interface '$interface' must be a name of at most 15 characters with %d in it, such as usb%d"; }

# Ends with exit code 2 when a setting is not possible; call it right after gadget_defaults and the settings.
check_settings() {
    : "${tag:=usb9pfs}"
    case $tag in
        "" | . | .. | -* | *[!A-Za-z0-9._-]*) bad_arguments "the tag '$tag' may only have A-Z a-z 0-9 . _ and -" ;;
    esac
    [ ${#tag} -le 31 ] || bad_arguments "the tag '$tag' is longer than 31 characters"
    case $udc in
        . | .. | */*) bad_arguments "'$udc' is not a name of a USB device controller: those are the entries of $udc_class" ;;
    esac
    case $id in
        "") ;;
        [0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]:[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]) ;;
        *) bad_arguments "the id '$id' must be four hex digits, a colon, four hex digits" ;;
    esac
    case $buflen in
        "") ;;
        *[!0-9]* | 0* | ????????*) bad_arguments "the buflen '$buflen' must be a number from 4096 to 1048576" ;;
        # With less than 4096 the kernel refuses to mount; more than 1 MiB gains nothing, and memory for it is seldom free.
        *) { [ "$buflen" -ge 4096 ] && [ "$buflen" -le 1048576 ]; } || bad_arguments "the buflen $buflen is not in 4096 to 1048576" ;;
    esac
    case $timeout in
        # The shell's arithmetic takes 08 for a malformed octal number, and more than nine digits may be too many for it.
        *[!0-9]* | 0?* | ??????????*) bad_arguments "the timeout '$timeout' must be whole seconds, without a leading 0" ;;
    esac
    case $aname in
        *,*) bad_arguments "a comma can't be part of --aname: it separates mount options" ;;
    esac
    check_mac --host-mac "$host_mac"
    check_mac --dev-mac "$dev_mac"
    if [ -n "$host_mac" ] && [ "$host_mac" = "$dev_mac" ]; then
        bad_arguments "--host-mac and --dev-mac must differ: they are the two ends of one link"
    fi
    case $interface in
        "") ;;
        *[!A-Za-z0-9._%-]* | *%*%* | ????????????????*) interface_is_bad ;;
        *%d*) ;;
        *) interface_is_bad ;;
    esac
    case $endpoints in
        "" | [0-9]+[0-9] | [0-9][0-9]+[0-9] | [0-9]+[0-9][0-9] | [0-9][0-9]+[0-9][0-9]) ;;
        *) bad_arguments "--endpoints '$endpoints' is not of the form IN+OUT, such as 7+7" ;;
    esac
    case $wanted_driver in
        "" | auto | kernel | program) ;;
        *) bad_arguments "--driver is auto, kernel or program, not '$wanted_driver'" ;;
    esac
    [ -z "$for_host" ] || network_function_for "$for_host" >/dev/null
    for text in "$serial" "$manufacturer" "$product"; do
        # The kernel's USB_MAX_STRING_LEN.
        [ ${#text} -le 126 ] || bad_arguments "'$text' is longer than 126 characters"
        is_text "$text" || bad_arguments "'$text' is not UTF-8, or has control characters: a host could not read it"
    done
    if [ "$wait" = no ] && [ -n "$mount_point" ]; then bad_arguments "--mount must wait for the host, so not with --no-wait"; fi
    gadget=$configfs/usb_gadget/$tag
}
