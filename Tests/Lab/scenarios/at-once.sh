#!/usr/bin/env bash
# usb9pfs-gadget: two at the same moment, up and down against each other, ended half way; under dash, busybox ash, bash
# lab: timeout=900
# lab: packages=dash
#
# Each tool the script starts takes longer here, so that the two are sure to meet; but for busybox ash, which takes its own.
# shellcheck source=../gadgets.sh
. "$LAB/gadgets.sh"
tree=$(export_directory root)
echo content >"$tree/file"
[ "$LAB_HOST" = p9fwd ] || fail "this scenario is about p9fwd" # the other one does not see a board come back
mkdir -p /run/tmp/slow
for tool in sed mkdir ln tr; do
    printf '#!/bin/sh\nsleep 0.05\nexec %s "$@"\n' "$(command -v $tool)" >/run/tmp/slow/$tool
    chmod 755 /run/tmp/slow/$tool
done
# slow FILE ARG...: in the background, with what it says in FILE
slow() {
    local file=$1
    shift
    : >"$file" # here, or who waits for a line in it may find that of the last one
    # shellcheck disable=SC2086 # "busybox ash" is two words
    PATH=/run/tmp/slow:$PATH $shell "$gadget_script" "$@" >"$file" 2>&1 &
}
# codes PID...: sets $codes, their exit codes in order of number
codes() {
    local pid code
    codes=
    for pid; do
        code=0
        wait "$pid" 2>/dev/null || code=$?
        codes="$codes$code
"
    done
    codes=$(sort -n <<<"${codes%?}" | xargs echo)
}
at_work() { [ -L /run/usb9pfs-gadget/lock ]; }
# With a hid's report descriptor that never comes, an `up` stays half made until it is let go.
mkfifo /run/tmp/report
half_made() { [ -d $gadgets/board-0/functions/hid.0 ] && [ -z "$(cat $gadgets/board-0/UDC)" ]; }
let_go() {
    exec 7<>/run/tmp/report
    exec 7>&-
    ! pgrep -f /run/tmp/report >/dev/null
}

for shell in dash "busybox ash" bash; do
    for number in 1 2 3; do
        slow /run/lab/at-$number.log up --tag board-0 --udc $udc --function ncm --function acm --no-wait
        pids[number]=$!
    done
    codes "${pids[@]}"
    check_equal "$shell: three up at once" "0 0 0" "$codes"
    check_equal "$shell: of which one made it" "2" "$(grep -l 'already up' /run/lab/at-?.log | wc -l)"
    take_status
    status_is functions "ncm acm"
    slow /run/lab/at-1.log up --tag board-0 --udc $udc --function ncm --function acm --no-wait
    first=$!
    slow /run/lab/at-2.log down --tag board-0
    codes $first $!
    check_equal "$shell: up and down at once" "0 0" "$codes"
    check_equal "$shell: there or not, and nothing in between" "" "$([ ! -d $gadgets/board-0 ] || grep -L . $gadgets/board-0/UDC)"
    down

    slow /run/lab/at-1.log up --tag one --udc $udc --function acm --no-wait
    first=$!
    slow /run/lab/at-2.log up --tag another --udc $udc --function acm --no-wait
    codes $first $!
    check_equal "$shell: two tags at once, one controller" "0 5" "$codes"
    check "$shell: and the other is told who has it" grep -qE "in use by gadget '(one|another)'" /run/lab/at-1.log /run/lab/at-2.log
    winner=$(ls $gadgets)
    run 0 "down" down --tag "$winner"

    slow /run/lab/at-1.log up --tag board-0 --udc $udc --function ncm --function hid:/run/tmp/report --no-wait
    wait_for 60 half_made || fail "$shell: half made" "$(cat /run/lab/at-1.log)"
    kill -TERM $!
    wait_for 60 let_go || fail "$shell: ended half way: goes on"
    codes $!
    check_equal "$shell: ended half way" 130 "$codes"
    check_equal "$shell: all of it is undone" "" "$(ls $gadgets; ls /run/usb9pfs-gadget)"
    slow /run/lab/at-1.log up --tag board-0 --udc $udc --function ncm --function hid:/run/tmp/report --no-wait
    wait_for 60 half_made || fail "$shell: half made" "$(cat /run/lab/at-1.log)"
    kill -KILL $!
    codes $!
    wait_for 60 let_go || fail "$shell: killed half way: its last tool goes on"
    check_equal "$shell: killed half way" 137 "$codes"
    check "$shell: its lock is still there" at_work
    run 0 "up all the same" up --tag board-0 --udc $udc --function ncm --no-wait
    down

    # A unit's mount and a person's, and a down in between.
    slow /run/lab/at-1.log up --tag board-0 --udc $udc --function usb9pfs --mount /run/board
    first=$!
    slow /run/lab/at-2.log up --tag board-0 --udc $udc --function usb9pfs --mount /run/board
    second=$!
    check "$shell: both wait for one mount" wait_for 60 grep -q "waits for the host's answer already" /run/lab/at-1.log /run/lab/at-2.log
    run 9 "down meanwhile" down --tag board-0
    usb_permissions
    host_serve 0 "$tree" || fail "serve"
    codes $first $second
    check_equal "$shell: both have it" "0 0" "$codes"
    check_equal "$shell: once" 1 "$(grep -c '^board-0 ' /proc/mounts)"
    check_equal "$shell: the file" content "$(cat /run/board/file)"
    umount /run/board
    down
    host_stop 0

    # Taken down while another waits for a host that does not come.
    echo 0 >/sys/bus/usb/devices/usb1/authorized_default
    slow /run/lab/at-1.log up --tag board-0 --udc $udc --function usb9pfs --mount /run/board
    first=$!
    check "$shell: it waits for a host" wait_for 60 grep -q "waiting for a host" /run/lab/at-1.log
    run 0 "down meanwhile" down --tag board-0
    codes $first
    check_equal "$shell: and says so" 1 "$codes"
    check "$shell: with the reason" grep -q "taken down in the meantime" /run/lab/at-1.log
    echo 1 >/sys/bus/usb/devices/usb1/authorized_default
done
# Not dmesg_clean: gadgets go here while the host is still asking for their descriptors, of which it complains.
check_equal "no warning in the kernel log" "" "$(dmesg | grep -E 'WARNING:|BUG:|Oops|Call Trace|blocked for more than')"
