# USB device controllers: which there are, who holds them, what the host has done.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others

controllers() {
    for entry in "$udc_class"/*; do
        [ -e "$entry" ] && printf '%s\n' "${entry##*/}"
    done
}

# Which gadget driver holds a controller; configfs gadgets answer with their directory's name.
holder_of() {
    read_line "$udc_class/$1/function"
}

choose_controller() {
    all=$(controllers | tr '\n' ' ')
    all=${all% }
    if [ -n "$udc" ]; then
        [ -e "$udc_class/$udc" ] || die 4 "there is no controller '$udc'; there are: ${all:-none}"
    else
        if [ -z "$all" ]; then
            die 4 "this board has no USB device controller (nothing in $udc_class). Its driver must be in the kernel and" \
                "in device mode: CONFIG_USB_DWC2 with USB_DWC2_PERIPHERAL or DUAL_ROLE and, on a Raspberry Pi," \
                "'dtoverlay=dwc2,dr_mode=peripheral' in config.txt; CONFIG_USB_DWC3, USB_MUSB_HDRC, USB_CHIPIDEA_UDC elsewhere"
        fi
        for candidate in $all; do
            [ -n "$(holder_of "$candidate")" ] || udc="$udc $candidate"
        done
        # shellcheck disable=SC2086 # to count the words
        set -- $udc
        [ $# -gt 0 ] || die 5 "every USB device controller is in use: $(for c in $all; do printf '%s by %s; ' "$c" "$(holder_of "$c")"; done)"
        [ $# -eq 1 ] || die 2 "there are several controllers, name one with --udc:$udc"
        udc=$1
    fi
    holder=$(holder_of "$udc")
    [ -z "$holder" ] || die 5 "controller '$udc' is in use by gadget '$holder'; take that down first"
}

# Nothing for a gadget whose controller has gone, with its driver for example; the gadget's file UDC still names it.
bound_controller() {
    on=$(read_line "$gadget/UDC")
    [ -z "$on" ] || [ ! -e "$udc_class/$on" ] || printf '%s\n' "$on"
}

# Sets aside a "configured" that is a left-over, see the top of gadget.sh; called before binding. Some 50 ms lie between the
# host's reset and its configuration. To miss them would be to take a configured gadget for an idle one. So a process of its
# own watches from before the binding on, starts no others and makes no pause. A host that is there resets within seconds;
# after ten seconds the cable is most likely out, and the process lets the processor go.
watch_for_reset() {
    [ "$(host_state "$udc")" = configured ] || return 0
    mkdir -p "$run_dir"
    true >"$run_dir/$tag.stale"
    (
        trap '' HUP
        read -r now _ </proc/uptime
        eager=$((${now%.*} + 10))
        while read -r state_now <"$udc_class/$udc/state" && [ "$state_now" = configured ]; do
            [ -e "$run_dir/$tag.stale" ] || exit 0
            read -r now _ </proc/uptime
            [ "${now%.*}" -lt $eager ] || sleep 0.02 2>/dev/null || usleep 20000 2>/dev/null || :
        done
        rm -f "$run_dir/$tag.stale"
    ) </dev/null >/dev/null 2>&1 &
    echo $! >"$run_dir/$tag.stale" || give_up 1 "can't write to $run_dir: full?"
}

# Whether a left-over is being watched; if not, a reset may have been missed.
reset_is_watched() {
    watcher=$(read_line "$run_dir/$tag.stale")
    [ -z "$watcher" ] || kill -0 "$watcher" 2>/dev/null
}

# What the kernel says, or "not attached" as long as that is a left-over. The note is read first: in the other order a
# left-over would be believed when the reset comes in between.
host_state() {
    state_now='' left_over=no
    [ ! -e "$run_dir/$tag.stale" ] || left_over=yes
    { read -r state_now <"$udc_class/$1/state"; } 2>/dev/null
    if [ $left_over = yes ]; then
        if [ "$state_now" = configured ] && ! host_talks; then
            state_now='not attached'
        else
            rm -f "$run_dir/$tag.stale"
        fi
    fi
    printf '%s\n' "$state_now"
}

# Whether the host uses a network function of the gadget, so has configured it.
host_talks() {
    for part in "$gadget"/functions/*/ifname; do
        { read -r name <"$part" && read -r talks <"/sys/class/net/$name/carrier"; } 2>/dev/null || continue
        [ "$talks" != 1 ] || return 0
    done
    return 1
}

wait_for_host() {
    state=$(host_state "$udc")
    [ "$state" != configured ] || return 0
    say "waiting for a host to configure the gadget on '$udc'${timeout:+, at most $timeout s} (now: $state)." \
        "Is the cable in the device port, and is the other end a computer?"
    read -r now rest </proc/uptime
    : "$rest"
    deadline=${timeout:+$((${now%.*} + timeout))} addressed='' explained=no
    while state=$(host_state "$udc") && [ "$state" != configured ]; do
        read -r now rest </proc/uptime
        now=${now%.*}
        if [ -n "$deadline" ] && [ "$now" -ge "$deadline" ]; then
            die 6 "no host has configured the gadget within $timeout s (state: $state). It stays up; run 'up' again to wait" \
                "longer. 'not attached': no cable, or a cable without data lines. 'addressed': the host refused the device"
        fi
        if [ "$state" = addressed ]; then
            : "${addressed:=$now}"
            if [ $explained = no ] && [ $((now - addressed)) -ge 5 ]; then
                explained=yes
                explain_addressed
            fi
        else
            addressed=
        fi
        pause
        check_bound
    done
    say "the host has configured the gadget"
}

# Whether the gadget that is waited with is still there. Another program may be making it anew; that one has the lock.
check_bound() {
    { read -r bound_now <"$gadget/UDC"; } 2>/dev/null && [ "$bound_now" = "$udc" ] && return
    take_lock
    bound_now=$(bound_controller)
    release_lock
    [ "$bound_now" = "$udc" ] || die 1 "'$tag' was taken down in the meantime"
}

# A host that gives the device an address configures it within a second. If it can't, the reason may be on this side: dwc2
# hands out its FIFOs only then, and answers ENOMEM.
explain_addressed() {
    if dmesg 2>/dev/null | grep -q "No suitable fifo found"; then
        say "the controller has no FIFO large enough for one of the endpoints ('No suitable fifo found' in dmesg), so the host" \
            "can't configure the gadget: give fewer functions, or larger g-tx-fifo-size values in the device tree"
    else
        say "the host has given the device an address, but does not configure it: its kernel log says why" \
            "(not authorized? not enough power on that port?)"
    fi
}
