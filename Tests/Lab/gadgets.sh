# What the gadget's scenarios share: `. "$LAB/gadgets.sh"` in place of lib.sh. They run the gadget's script under $shell, on
# board 0, as gadget board-0, and look at both ends.
# shellcheck shell=bash
# shellcheck source=lib.sh
. "$LAB/lib.sh"

udc=dummy_udc.0
gadgets=/sys/kernel/config/usb_gadget
shell=dash
mkdir -p /run/board
ip netns add board

# run CODE NAME [ARG...]: runs the gadget's script under $shell and compares the exit code
run() {
    check_of="$shell: "
    # shellcheck disable=SC2086 # "busybox ash" is two words
    check_code "$1" "$shell: $2" timeout 180 $shell "$gadget_script" "${@:3}"
    cat "$said" >>/run/lab/gadget-0.log
}
# take_status: runs `status --json` once and flattens it into ${status[...]}, e.g. ${status[network.0.interface]}, lists of
# words also as one. The lab is slow while many transfers wait: dummy_hcd looks at them all every millisecond.
declare -A status
flatten='
import json, shlex, sys
def walk(name, value):
    if isinstance(value, dict): pairs = value.items()
    elif isinstance(value, list): pairs = enumerate(value)
    else: pairs = None
    if pairs is None or not any(isinstance(v, (dict, list)) for _, v in pairs):
        text = value if pairs is None else " ".join(str(v) for v in (value.values() if isinstance(value, dict) else value))
        print("%s[%s]=%s" % (sys.argv[1], name, shlex.quote(str(text))))
    if isinstance(value, dict): pairs = value.items()
    elif isinstance(value, list): pairs = enumerate(value)
    for k, v in pairs or (): walk("%s.%s" % (name, k) if name else str(k), v)
for k, v in json.load(sys.stdin).items(): walk(k, v)'
take_status() {
    status=()
    # shellcheck disable=SC2086 # "busybox ash" is two words
    eval "$($shell "$gadget_script" status --json --tag board-0 | python3 -c "$flatten" status)"
}
# status_is NAME WANT: after take_status
status_is() { check_equal "$shell: status: $1" "$2" "${status[$1]-}"; }
up() { run 0 "up: $*" up --tag board-0 --udc $udc --serial "lab-$shell" --timeout 60 ${board_driver[@]+"${board_driver[@]}"} "$@"; }
down() {
    run 0 "down" down --tag board-0
    check_equal "$shell: nothing is left in configfs" "" "$(ls $gadgets)"
    check_equal "$shell: nothing is left of its notes" "" "$(ls /run/usb9pfs-gadget 2>/dev/null)"
}
# descriptors: what the host sees of the device, in ${seen[...]}; see descriptors.py
declare -A seen
descriptors() {
    seen=()
    eval "$(python3 "$LAB/scenarios/descriptors.py" "$(board_device 0)" | python3 -c "$flatten" seen)"
}
# described NAME WANT: after descriptors
described() { check_equal "$shell: the host sees: $1" "$2" "${seen[$1]-}"; }

# The board's interface goes into a network namespace of its own: both ends are of one kernel, which would not use the
# cable for an address of its own.
network_up() {
    check "$shell: the host has a network interface" wait_for 60 host_interface
    host_if=$(host_interface)
    take_status
    board_if=${status[network.0.interface]}
    check "$shell: the board has the interface that status names" test -e "/sys/class/net/$board_if"
    check_equal "$shell: its MAC" "$(cat "/sys/class/net/$board_if/address")" "${status[network.0.device_mac]}"
    [ "$1" = eem ] || check_equal "$shell: the host's MAC" "$(cat "/sys/class/net/$host_if/address")" "${status[network.0.host_mac]}"
    ip link set "$board_if" netns board
    ip -n board addr add 10.55.0.1/24 dev "$board_if"
    ip -n board link set "$board_if" up
    host_address
}
host_address() {
    host_if=$(host_interface)
    ip addr add 10.55.0.2/24 dev "$host_if"
    ip link set "$host_if" up
}
ping_board() { busybox ping -c 1 -W 5 10.55.0.1; }
ping_host() { ip netns exec board busybox ping -c 1 -W 5 10.55.0.2; }
ping_both() {
    check "$shell: ping the board $1" wait_for 60 ping_board
    check "$shell: ping the host $1" wait_for 60 ping_host
}
