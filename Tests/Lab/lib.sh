# What a scenario sources: `. "$LAB/lib.sh"`. It runs as root in the lab's kernel, where host and board are one machine
# (docs/lab.md). The checks are those of ../checks.sh; at the end come the counts, and exit code 1 if any was not ok.
# shellcheck shell=bash
#
#   board_up N [OPTION...]        usb9pfs-gadget up for board N (0...), options as there; tag board-N, serial lab-N
#   board_down N                  and down again
#   board_path N                  its USB path on the host, e.g. 1-1
#   board_mount N DIR [OPTIONS]   mounts what the host serves; OPTIONS are v9fs options that override
#   host_serve N DIR [path|serial] serves DIR to board N, chosen so, with the host program under test ($LAB_HOST)
#   host_stop N                   ends that program
#   board_gone N                  true when the host does not see board N
#   host_interface                the host's network interface of board 0
#   tell_multi_user DIRECTORY     puts a unit there that writes /run/lab-reached at multi-user
#   host_connect N PORT [ANAME]   connects board N to a 9P server on 127.0.0.1:PORT with the host program under test
#   diod_start PORT DIR           the reference server, as root; prints its process id. Wants "# lab: unpacked=diod"
#   as_user COMMAND...            as the ordinary user of the host side; /run/home and /run/tmp are writable. In the
#                                 background "${as_user[@]}" COMMAND... &
#   export_directory NAME         makes /run/export/NAME of that user's and prints it
#   watch_progress PID FILE S     waits for a process that writes its progress to FILE; 1 if that did not change for S seconds
#   dmesg_clean                   ok if the kernel's log shows no USB or 9P error since the scenario began
#   image_mount DIR               mounts run's --image on DIR
#   board_boot N DIR              starts DIR's /sbin/init as the board's process 1, in namespaces of its own; pid in $board_init
#   in_board COMMAND...           runs a command of the booted board
#   board_power_on                with run --initrd: starts the board's initramfs, as process 1 of the kernel
#   board_reboots NAME S [again]  ok if the board reboots within S seconds, and the end of the scenario. With `again` it is
#                                 run once more after that, the host side as new as the board, with LAB_BOOTED_BEFORE set
#   board_powers_off NAME         ok if the machine then powers off by itself, and the end of the scenario
#   console                       what the board's console has shown until now, since the scenario began
#   console_says PATTERN          true when that has a line that matches
#   mount_waits                   true while a mount waits for the host's answer, its first message queued. Before that, a
#                                 pulled cable is the kernel's end: it looks at a client that is yet to come
#   console_type LINE             types a line on the board's console
#   host_counters N               "REQUESTS BYTES" the forwarder counted, or "unknown unknown"
#   uptime_seconds                seconds since the kernel started, two decimals
set -uo pipefail

# What usb9pfs-gadget is told besides: with the driver that is asked for, or not at all.
board_driver=()
if [ "$LAB_DRIVER" = program ]; then
    mkdir -p /run/path && ln -sf "$P9GADGET" /run/path/p9gadget
    PATH=$PATH:/run/path
    board_driver=(--driver program)
fi
gadget_script=$LAB/../../scripts/gadget/usb9pfs-gadget
export PYTHONPATH=$LAB/../Python PYTHONDONTWRITEBYTECODE=1
checks=/run/lab/checks said=/run/lab/out
# shellcheck source=checks.sh
. "$LAB/../checks.sh"
dmesg | wc -l >/run/lab/dmesg-lines

lab_finish() {
    local code=$? good bad
    trap - EXIT
    good=$(checks_count ok) bad=$(checks_count 'not ok')
    if [ -z "${lab_at_end:-}" ] && [ "$bad" = 0 ]; then # set by Tests/Lab/scenario
        echo "not ok the scenario stopped with exit code $code"
        bad=1
    elif [ $((good + bad)) = 0 ]; then
        echo "not ok the scenario checked nothing"
        bad=1
    fi
    if [ "$bad" != 0 ]; then
        [ -z "$LAB_INITRD" ] || console >/run/lab/console.log
        for log in /run/lab/*.log; do
            [ ! -s "$log" ] || { echo "# the end of ${log##*/}:" && tail -n 15 "$log" | sed 's/^/#   /'; }
        done
    fi
    echo "# $good ok, $bad not ok"
    exit $((bad > 0 || ${LAB_BOOTED_BEFORE:-0} > 0))
}
trap lab_finish EXIT

# skip WHY: the scenario can't be run here, and ends.
skip() {
    trap - EXIT
    echo "skipped $(basename "$LAB_SCENARIO" .sh): $1"
    exit 0
}

uptime_seconds() { cut -d ' ' -f 1 /proc/uptime; }

watch_progress() {
    local pid=$1 file=$2 limit=$3 last='' since=$SECONDS now
    while kill -0 "$pid" 2>/dev/null; do
        now=$(cat "$file" 2>/dev/null)
        if [ "$now" != "$last" ]; then
            last=$now since=$SECONDS
        elif [ $((SECONDS - since)) -ge "$limit" ]; then
            return 1 # not killed: a 9P request that is never answered can't be interrupted
        fi
        sleep 0.2
    done
    wait "$pid"
}

# An array beside the function, for the background: with `as_user ... &`, $! is a shell's process id, not the program's.
as_user=(setpriv --reuid "$LAB_UID" --regid "$LAB_GID" --clear-groups --no-new-privs env HOME=/run/home TMPDIR=/run/tmp)
as_user() { "${as_user[@]}" "$@"; }

export_directory() {
    install -d -m 755 /run/export
    install -d -o "$LAB_UID" -g "$LAB_GID" -m 755 "/run/export/$1"
    echo "/run/export/$1"
}

# What the project's udev rules do on a host: the ordinary user may open devices with interface ff/ff/09, and Raspberry
# Pis in USB boot mode. Kept up in the background, since devices come back under new names.
usb_permissions() {
    local interface device class='' subclass='' protocol='' vendor='' product=''
    # Builtins: this is run twice a second, and to fork takes long here.
    for interface in /sys/bus/usb/devices/*:*; do
        { read -r class <"$interface/bInterfaceClass" && read -r subclass <"$interface/bInterfaceSubClass" &&
            read -r protocol <"$interface/bInterfaceProtocol"; } 2>/dev/null || continue
        [ "$class$subclass$protocol" = ffff09 ] && usb_permit "${interface%:*}"
    done
    for device in /sys/bus/usb/devices/*-*; do
        { read -r vendor <"$device/idVendor" && read -r product <"$device/idProduct"; } 2>/dev/null || continue
        case $vendor:$product in
            0a5c:2711 | 0a5c:2712 | 0a5c:2763 | 0a5c:2764) usb_permit "$device" ;;
        esac
    done
}

declare -A permitted=() # by the device's number, which no other device gets
usb_permit() {
    local node number
    { read -r number <"$1/devnum"; } 2>/dev/null || return
    [ -z "${permitted["$1 $number"]:-}" ] || return 0
    node=$(sed -n 's/^DEVNAME=//p' "$1/uevent")
    # No name: the device has just gone. (/dev itself must not lose its x bits.)
    [ -n "$node" ] && [ -e "/dev/$node" ] && chgrp "$LAB_GID" "/dev/$node" && chmod 660 "/dev/$node" && permitted["$1 $number"]=yes
}
while :; do usb_permissions; sleep 0.5; done </dev/null >/dev/null 2>&1 &
disown

board_device() {
    local device
    for device in /sys/devices/platform/dummy_hcd."$1"/usb*/*-1; do
        [ -r "$device/idVendor" ] && echo "$device" && return
    done
    return 1
}

# By the USB device. It comes with its driver, a little after the configuration.
host_interface() {
    local entry
    for entry in "$(board_device 0)"/*:*/net/*; do
        [ -e "$entry" ] && basename "$entry" && return
    done
    return 1
}

board_gone() { ! board_device "$1" >/dev/null; }

board_path() { basename "$(board_device "$1")"; }

board_up() {
    local board=$1
    shift
    "$gadget_script" up --tag "board-$board" --udc "dummy_udc.$board" --serial "lab-$board" --product "Lab board $board" \
        --manufacturer usb9pfs --timeout 60 ${board_driver[@]+"${board_driver[@]}"} "$@" >>"/run/lab/gadget-$board.log" 2>&1 || return
    wait_for 60 board_configured "$board" && usb_permissions
    return 0
}

# The gadget's script knows before the host does that it is configured. Reading this waits until the host has done with that,
# and has made the interfaces.
board_configured() {
    local device number=''
    device=$(board_device "$1") && { read -r number <"$device/bConfigurationValue"; } 2>/dev/null && [ -n "$number" ]
}

board_down() { "$gadget_script" down --tag "board-$1" >>"/run/lab/gadget-$1.log" 2>&1; }

# Uncached unless told otherwise, so that every operation is a message. Through the gadget's script: it notes the
# mount, without which it would refuse to take the gadget down.
board_mount() {
    local board=$1 directory=$2 aname=()
    mkdir -p "$directory"
    [ ! -e "/run/lab/aname-$board" ] || aname=(--aname "$(cat "/run/lab/aname-$board")")
    "$gadget_script" up --tag "board-$board" --mount "$directory" -o "cache=none${3:+,$3}" ${aname[@]+"${aname[@]}"} \
        >>"/run/lab/gadget-$board.log" 2>&1
}

[ -z "$LAB_INITRD" ] || board_init=1 # the kernel's own process 1

board_power_on() {
    echo on >&3
    exec 3>&-
}

# The second start of the kernel says ok (init.sh).
board_reboots() {
    local code=0
    [ "$(checks_count 'not ok')" = 0 ] || code=1
    printf '%s\n' "$code" "$1" "${3:-}" >"$LAB_DIR/reboots.new"
    mv "$LAB_DIR/reboots.new" "$LAB_DIR/reboots" # the board may look for it at any moment
    sleep "$2"
    rm "$LAB_DIR/reboots"
    not_ok "$1" "no reboot within $2 s"
}

# run says ok, if the kernel's last words are those.
board_powers_off() {
    printf '%s\n' "$(checks_count 'not ok')" "$1" >"$LAB_DIR/powers-off.new"
    mv "$LAB_DIR/powers-off.new" "$LAB_DIR/powers-off"
    sleep "$LAB_TIMEOUT" # until the watchdog's end at most
}

# A new look at each call: while a file of hostfs is held open, what others append is not seen. What stands there already is from
# before a reboot.
[ -z "$LAB_INITRD" ] || lab_console_begins=$(($(wc -c <"$LAB_DIR/console") + 1))
console() { tail -c "+$lab_console_begins" "$LAB_DIR/console" | tr -d '\r'; }

console_says() { grep -qE -- "$1" <(tail -c "+$lab_console_begins" "$LAB_DIR/console"); }

# Not by the gadget's own note, which is written a moment before the mount. A killable wait for an answer shows as D.
mount_waits() {
    local process arguments state
    for process in /proc/[0-9]*; do
        { mapfile -d '' -t arguments <"$process/cmdline" && read -r _ _ state _ <"$process/stat"; } 2>/dev/null || continue
        [[ $state = D && (${arguments[*]} = 'mount -t 9p '* || ${arguments[*]} = *'p9gadget mount '*) ]] && return
    done
    return 1
}

console_type() { printf '%s\r' "$1" >/dev/tty7; }

host_program() {
    [ -x "$1" ] || fail "there is no ${1##*/}" "no program $1: build it (swift build -c release), set ${1##*/}'s path in the
environment (P9FWD, P9SERVE), or run with --host baseline"
}

diod_start() {
    "$LAB_UNPACKED/run" diod -f -n -N -l "127.0.0.1:$1" -e "$2" -c /dev/null -L "/run/lab/diod-$1.log" </dev/null >/dev/null 2>&1 &
    echo $!
    wait_for 60 port_open "$1"
}

port_open() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# In the lab p9_fwd.py and diod play the host side as one may have it today: diod needs root.
host_serve() {
    local board=$1 directory=$2 port=$((5650 + $1)) path select
    path=$(board_path "$board")
    case $LAB_HOST in
        baseline)
            diod_start $port "$directory" >"/run/lab/diod-$board.pid" || return
            host_connect "$board" $port "$directory" || return # diod's exports go by their path
            cat "/run/lab/diod-$board.pid" >>"/run/lab/host-$board.pids"
            ;;
        p9fwd)
            host_program "$P9FWD"
            rm -f "/run/lab/aname-$board" "/run/lab/host-$board.log"
            case ${3:-path} in
                path) select=(--path "$path") ;;
                serial) select=(--serial "$(cat "$(board_device "$board")/serial")") ;;
            esac
            "${as_user[@]}" "$P9FWD" serve "$directory" "${select[@]}" </dev/null >"/run/lab/host-$board.log" 2>&1 &
            echo $! >"/run/lab/host-$board.pids"
            host_runs $! "$board"
            ;;
    esac
}

host_connect() {
    local board=$1 port=$2 path id
    path=$(board_path "$board")
    rm -f "/run/lab/aname-$board" "/run/lab/host-$board.log"
    [ -z "${3:-}" ] || echo "$3" >"/run/lab/aname-$board"
    case $LAB_HOST in
        baseline)
            # It finds gadgets by id only, so it must be told.
            id=$(cat "$(board_device "$board")"/id{Vendor,Product} | paste -s -d :)
            "${as_user[@]}" python3 "$LAB_PYTHON_FORWARDER" --id "$id" --path "$path" connect -p "$port" </dev/null \
                >"/run/lab/host-$board.log" 2>&1 &
            echo $! >"/run/lab/host-$board.pids"
            wait_for 60 grep -q 'connected to server' "/run/lab/host-$board.log"
            ;;
        p9fwd)
            host_program "$P9FWD"
            "${as_user[@]}" "$P9FWD" connect --path "$path" -s 127.0.0.1 -p "$port" </dev/null >"/run/lab/host-$board.log" 2>&1 &
            echo $! >"/run/lab/host-$board.pids"
            host_runs $! "$board"
            ;;
    esac
}

# host_runs PID N: true once p9fwd has said that it serves the board, or waits for it; false if it has ended
host_runs() { wait_for 60 test -s "/run/lab/host-$2.log" && kill -0 "$1"; }

host_stop() {
    local pid
    while read -r pid; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done <"/run/lab/host-$1.pids"
    return 0
}

image_mount() {
    local device=${LAB_DISK:-/dev/ubda}
    [ -b "$device" ] || fail "image" "this scenario needs run's --image"
    mkdir -p "$1" && mount -t ext4 "$device" "$1"
}

# A unit in DIRECTORY that writes /run/lab-reached at multi-user, as busybox's inittab does. Asking systemd would slow it down.
tell_multi_user() {
    mkdir -p "$1/multi-user.target.wants"
    cat >"$1/lab-reached.service" <<'UNIT'
[Unit]
Description=Tell the lab that multi-user is reached
After=multi-user.target
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/cp /proc/uptime /run/lab-reached
UNIT
    ln -s ../lab-reached.service "$1/multi-user.target.wants/"
}

# The board gets mount, process, network, host name, IPC and cgroup namespaces of its own: its init is process 1, a
# pivot_root does not touch the host side, and powering it off ends it alone. The kernel, and so /dev and the kernel's
# log, are shared.
board_boot() {
    local board=$1 directory=$2
    mount -t tmpfs -o mode=755 tmpfs "$directory/run" || return
    tell_multi_user "$directory/run/systemd/system"
    # shellcheck disable=SC2016 # expanded by the inner shell
    setsid unshare --mount --pid --net --uts --ipc --cgroup --fork --propagation private bash -c '
        cd "$1" && mount -t proc proc proc && mount -t sysfs sysfs sys && mount -t devtmpfs dev dev &&
            pivot_root . . && umount -l . && exec chroot . /sbin/init' bash "$directory" \
        </dev/null >"/run/lab/board-$board.log" 2>&1 &
    board_unshare=$!
    wait_for 60 board_init_found
}

# By its first argument: before it becomes init it is a shell on the host side's files.
board_init_found() {
    board_init=$(pgrep -P "$board_unshare" | head -n 1)
    local argument=
    { IFS= read -r -d '' argument <"/proc/$board_init/cmdline"; } 2>/dev/null
    [[ $argument == *init ]] # busybox's calls itself so
}

# The host side's directories for its user do not exist on the board.
in_board() { nsenter -t "$board_init" --mount --pid --net --uts --ipc --cgroup --root --wd env -u TMPDIR HOME=/root "$@"; }

host_counters() {
    local log=/run/lab/host-$1.log
    case $LAB_HOST in
        baseline) awk '/(c2s|s2c) (packets|bytes):/ {
                for (i = 2; i < NF; i++) if ($i == "packets:") p = $(i + 1); else if ($i == "bytes:") b[$(i - 1)] = $(i + 1) }
            END { if (p == "") print "unknown unknown"; else print p, b["c2s"] + b["s2c"] }' "$log" ;;
        *) awk '/ requests, [0-9]+ bytes from the board, / { r += $2; b += $4 + $9 }
            END { if (r == "") print "unknown unknown"; else print r, b }' "$log" ;;
    esac
}

# Lines that look like errors and are harmless here, with the reason:
# - SerialNumber and so on: what a gadget calls itself, such as "lab-0"
# - a network interface's registration, which ends with the USB path and more
# - systemd: a booted board's init writes to this log too; its troubles are for systemctl --failed
lab_harmless="register '[a-z_]+' at usb-|unregister '[a-z_]+' usb-|(SerialNumber|Product|Manufacturer): |systemd(-[a-z]+)?\["

dmesg_clean() {
    local since bad
    since=$(dmesg | tail -n "+$(($(cat /run/lab/dmesg-lines) + 1))" | grep -vE "$lab_harmless")
    bad=$(grep -E 'WARNING:|BUG:|Oops|Call Trace|blocked for more than' <<<"$since"
        grep -iE '(usb|9p|gadget|udc|hcd|configfs).*(error|fail|timed? ?out|reset|-[0-9]{1,3}$|-[0-9]{1,3},|complete -->|exceeds|no channels)' <<<"$since")
    check_equal "no USB or 9P error in the kernel log" "" "$bad"
}
