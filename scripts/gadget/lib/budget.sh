# Endpoints: what the functions need and what the controller has, beside endpoint 0.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others

# endpoints_of KIND: sets need_in and need_out.
endpoints_of() {
    case $1 in
        ecm | ncm | rndis | acm) need_in=2 need_out=1 ;; # bulk both ways, and notifications
        usb9pfs | eem | mass_storage) need_in=1 need_out=1 ;;
        hid) need_in=1 need_out=0 ;; # made without its OUT endpoint, see make_function
    esac
}

# sum_endpoints WORD...: sets sum_in and sum_out.
sum_endpoints() {
    sum_in=0 sum_out=0
    for word in "$@"; do
        endpoints_of "${word%%:*}"
        sum_in=$((sum_in + need_in)) sum_out=$((sum_out + need_out))
    done
}

controller_driver() {
    udc_driver=$(readlink -f "$udc_class/$1/device/driver" 2>/dev/null)
    printf '%s\n' "${udc_driver##*/}"
}

# "IN+OUT" of a controller, or nothing where it is not known: then the kernel decides.
endpoint_limit() {
    if [ -n "$endpoints" ]; then
        printf '%s\n' "$endpoints"
        return
    fi
    case $(controller_driver "$1") in
        # As in the Raspberry Pi's: 8 endpoints, each with a FIFO for IN. Other chips' may differ.
        dwc2) echo 7+7 ;;
        # It has 12 OUT, but from the fifth on it gives addresses a second time (docs/gadget.md), and the host drops those.
        dummy_udc) echo 7+4 ;;
        usbip-vudc) echo 15+15 ;;
    esac
}

fits() { [ "$sum_in" -le "$limit_in" ] && [ "$sum_out" -le "$limit_out" ]; }

# Prints $functions without the Nth.
without() {
    count=0
    for word in $functions; do
        count=$((count + 1))
        [ "$count" = "$1" ] || printf '%s ' "$word"
    done
}

# Refuses more endpoints than the controller has, and names what to drop.
check_budget() {
    limit=$(endpoint_limit "$udc")
    [ -n "$limit" ] || return 0
    limit_in=${limit%+*} limit_out=${limit#*+}
    # shellcheck disable=SC2086 # a list of words
    sum_endpoints $functions
    ! fits || return 0
    all_in=$sum_in all_out=$sum_out udc_driver=$(controller_driver "$udc")
    say "error: these functions need $sum_in IN + $sum_out OUT endpoints, and controller '$udc'${udc_driver:+ ($udc_driver)} has" \
        "$limit_in IN + $limit_out OUT beside endpoint 0:"
    for word in $functions; do
        endpoints_of "${word%%:*}"
        printf '    %-28s %s IN + %s OUT\n' "$word" "$need_in" "$need_out" >&2
    done
    printf '    %-28s %s IN + %s OUT\n' sum "$all_in" "$all_out" >&2

    # One function that is enough alone; else from the end of the list, where the least needed ones stand.
    enough='' position=0
    for word in $functions; do
        position=$((position + 1))
        # shellcheck disable=SC2046 # a list of words
        sum_endpoints $(without $position)
        case " $enough " in *" $word "*) continue ;; esac
        ! fits || enough="$enough${enough:+ }$word"
    done
    if [ -n "$enough" ]; then
        advice="Drop one of: $enough"
        case $enough in *\ *) ;; *) advice="Drop $enough" ;; esac
    else
        dropped='' kept=$functions
        # shellcheck disable=SC2086 # a list of words
        sum_endpoints $kept
        until fits; do
            word=${kept##* }
            dropped="$word${dropped:+ }$dropped"
            case $kept in *\ *) kept=${kept% *} ;; *) kept='' ;; esac
            # shellcheck disable=SC2086 # a list of words
            sum_endpoints $kept
        done
        advice="Drop for instance: $dropped"
    fi
    saving=no
    for word in $functions; do
        case $word in rndis | ncm | ecm) saving=yes ;; esac
    done
    [ $saving = no ] || advice="$advice. For a Linux host eem, with 1 IN + 1 OUT, can take the place of another network function"
    say "$advice. (Another number of endpoints: --endpoints IN+OUT.)"
    exit 12
}
