#!/usr/bin/env bash
# the initramfs of scripts/boot/mkinitramfs: every form of root=, no cable, no host, wrong roots, overlay, two boards, network
# lab: timeout=900
# lab: drivers=kernel program
# soak with program: twenty boots once more
# lab: packages=cpio nftables dnsmasq-base python3
# lab: initrd=scripts/boot/mkinitramfs --output
# The three forms, as docs/initramfs.md has them: rsinit's, barebox's and the kernel documentation's.
# lab: boot=rsinit --image rootfs --timeout 900 -- usb9pfs.udc=dummy_udc.0 rootfstype=9p rootflags=trans=usbg,cache=loose rw
# lab: boot=barebox --image rootfs --timeout 900 -- usb9pfs.udc=dummy_udc.0 root=board rootfstype=9p rootflags=trans=usbg,msize=65536,cache=loose,uname=board,dfltuid=0,dfltgid=0,aname=/ rw
# lab: boot=kernel-doc --image rootfs --timeout 900 -- usb9pfs.udc=dummy_udc.0 root=board rootfstype=9p rootflags=trans=usbg,cache=loose,uname=root,access=0,dfltuid=0,dfltgid=0,aname=/run/image rw quiet
# lab: boot=late --image busybox -- usb9pfs.udc=dummy_udc.0 rootfstype=9p rootflags=trans=usbg ro
# lab: boot=wrong-root -- usb9pfs.udc=dummy_udc.0 root=board usb9pfs.retry=1
# lab: boot=wrong-aname -- usb9pfs.udc=dummy_udc.0 root=board rootflags=trans=usbg,aname=other usb9pfs.retry=1 rw
# lab: boot=wrong-tag -- root=/dev/mmcblk0p2 rootfstype=9p rootflags=trans=usbg rw panic=20
# lab: boot=wrong-controller -- usb9pfs.udc=fe980000.usb usb9pfs.timeout=3 usb9pfs.shell panic=0
# lab: boot=read-only -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw
# lab: boot=overlay -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw usb9pfs.overlay=tmpfs
# lab: boot=bad-loader -- root=dummy_udc.0 usb9pfs.shell panic=0
# lab: boot=shell-now -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw usb9pfs.shell=now
# lab: boot=replugged -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw
# lab: boot=cable-out -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw panic=20
# lab: boot=cable-out-stays --driver kernel -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw usb9pfs.shell quiet panic=0
# lab: boot=host-killed -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw
# lab: boot=reboot -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw
# lab: boot=two --boards 2 --image busybox -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw
# lab: boot=static-ip --image busybox -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw usb9pfs.function=ecm usb9pfs.ip=172.31.0.2::172.31.0.1:255.255.255.0:board::off:172.31.0.1
# lab: boot=dhcp --image busybox -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw usb9pfs.for=linux usb9pfs.ip=dhcp
# lab: boot=usb-net --image busybox -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw usb9pfs.for=linux usb9pfs.ip=dhcp
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
# shellcheck source=../../as-written.sh
. "$LAB/../as-written.sh"

host_program "$P9FWD"

# serve DIRECTORY [OPTION...]: p9fwd for the port, board or no board.
serve() {
    "${as_user[@]}" "$P9FWD" serve --path 1-1 "$@" </dev/null >>"$LAB_DIR/out/host.log" 2>&1 &
    echo $! >/run/lab/host-0.pids
}

board_root=/proc/1/root
started() { [ -s "$board_root/run/lab-reached" ]; }

# A small root: busybox, and an init that tells the lab when it runs and lives on.
small_root() {
    local tree
    tree=$(export_directory "$1")
    as_user mkdir "$tree"/{bin,sbin,dev,proc,sys,run,etc}
    as_user cp /bin/busybox "$tree/bin/"
    as_user ln -s busybox "$tree/bin/sh"
    as_user tee "$tree/sbin/init" >/dev/null <<'INIT'
#!/bin/busybox sh
busybox cp /proc/uptime /run/lab-reached
while :; do busybox sleep 3600; done
INIT
    as_user chmod 755 "$tree/sbin/init"
    as_user tee "$tree/etc/resolv.conf" >/dev/null <<<"# the host's"
    echo "$tree"
}

says() { # SECONDS PATTERN
    check "the console says: $2" wait_for "$1" console_says "$2"
}

port=/sys/bus/usb/devices/1-0:1.0/usb1-port1/disable

# One that is stopped before it has done anything.
serve_stopped() {
    "${as_user[@]}" sh -c 'kill -STOP $$; exec "$@"' sh "$P9FWD" serve --path 1-1 "$1" </dev/null >>"$LAB_DIR/out/host.log" 2>&1 &
    echo $! >/run/lab/host-0.pids
}

host_kill() {
    local pid
    pid=$(cat /run/lab/host-0.pids)
    kill -KILL "$pid"
    wait "$pid"
} 2>/dev/null

boots_now() { check "$1" wait_for 60 started; }

# The mount of /, as the board sees it, but for the program's with the tag in place of its socket.
root_line() { grep ' / ' /proc/1/mounts | sed 's,^/run/usb9pfs-gadget/\(.*\)\.9p ,\1 ,'; }

# The small root has busybox alone, whose shell has the rest in itself.
in_board_sh() { nsenter -t 1 --mount --root --wd /bin/busybox sh -c "$1"; }

# The host's end of the cable's network is made by the kernel where the board is; it moves to the host's namespace.
take_host_interface() {
    local ours links
    ours=$(cat /sys/kernel/config/usb_gadget/dummy_udc.0/functions/*/ifname 2>/dev/null) || return
    links=$(nsenter -t 1 --net ip -o link | sed -n 's/^[0-9]*: \(usb[0-9]\|eth[0-9]\|enx[0-9a-f]*\):.*/\1/p')
    # Before the gadget is bound ifname is not a name yet, and the only interface a moment later is the board's own.
    grep -qx "$ours" <<<"$links" && interface=$(grep -vx "$ours" <<<"$links") &&
        nsenter -t 1 --net ip link set "$interface" netns $$ &&
        ip addr add 172.31.0.1/24 dev "$interface" && ip link set "$interface" up
}

network_up() {
    image_mount /run/image
    as_user tee /run/image/etc/resolv.conf >/dev/null <<<"# the host's"
    board_power_on
    wait_for 60 take_host_interface || fail "the host's network interface"
}

network_works() {
    check "the board's address" grep -q "inet $1/24" <(nsenter -t 1 --net ip -o -4 addr)
    check "the board's route" grep -q '^default via 172.31.0.1 ' <(nsenter -t 1 --net ip route)
    check "the host reaches the board" busybox ping -c 1 -W 20 "$1"
    check_equal "the board's resolv.conf" "nameserver 172.31.0.1" "$(in_board_sh 'cat /etc/resolv.conf')"
    check_equal "the host's is as it was" "# the host's" "$(cat /run/image/etc/resolv.conf)"
}

# The same initramfs for a second board: a kernel has one process 1, so in namespaces, with a command line of its own.
second_board() {
    mkdir /run/second && mount -t tmpfs tmpfs /run/second && (cd /run/second && zcat "$LAB_INITRD" | cpio --quiet -idm) || return
    echo "root=dummy_udc.1 rootfstype=9p rootflags=trans=usbg rw usb9pfs.serial=second" >/run/second.cmdline
    # shellcheck disable=SC2016 # expanded by the inner shell
    setsid unshare --mount --pid --uts --ipc --fork --propagation private sh -c '
        cd /run/second && mount -t proc proc proc && mount --bind /run/second.cmdline proc/cmdline && pivot_root . . && umount -l . &&
            exec /init' </dev/null >/run/lab/board-1.log 2>&1 &
    second=$!
}

debian() {
    image_mount /run/image
    serve /run/image
    board_power_on
    # Not asked again and again: that would take the board's time.
    check "systemd starts" wait_for 300 test -S $board_root/run/systemd/private
    check_equal "systemctl is-system-running" running "$(in_board timeout $((LAB_TIMEOUT - 330)) systemctl is-system-running --wait)"
    check "multi-user" in_board systemctl is-active multi-user.target
    echo "# after $(uptime_seconds) s"
    check_equal "systemctl --failed" "" "$(in_board systemctl --failed --no-legend --plain)"
    check_equal "process 1" systemd "$(cat /proc/1/comm)"
    root_line | sed 's/^/# /'
}

case $1 in
    rsinit)
        check "the documented command line" boots_as_written docs/initramfs.md "The kernel's command line" 1
        debian
        check "the tag is the controller's name, the root may be written" grep -qE '^dummy_udc.0 / 9p rw,.*cache=0xf' <(root_line)
        check_equal "nothing of the initramfs is left" "" "$(find $board_root/run/usb9pfs -type f)"
        ;;
    barebox)
        check "the documented command line" boots_as_written docs/initramfs.md "The kernel's command line" 2
        debian
        check "tag, msize and uname" grep -qE '^board / 9p rw,.*uname=board,.*msize=65536' <(root_line)
        ;;
    kernel-doc)
        check "the documented command line" boots_as_written docs/initramfs.md "The kernel's command line" 3 /srv/rootfs=/run/image
        debian
        check "tag and aname" grep -qE '^board / 9p rw,.*aname=/run/image' <(root_line)
        says 60 'access=0 in rootflags would let no user but root read the root'
        check "quiet: nothing but that" test "$(console | grep -c '^usb9pfs')" = 1
        ;;
    late)
        echo 1 >$port
        image_mount /run/image
        board_power_on
        says 60 "waiting for a host on 'dummy_udc.0' .now: .*cable"
        echo 0 >$port
        if [ "$LAB_DRIVER" = kernel ]; then says 60 "the host has configured the gadget"; else says 60 "p9gadget: a host is there"; fi
        plugged=$SECONDS
        says 60 "waiting for a program on the host that serves the root: p9fwd serve ROOTFS"
        ready() { [ $((SECONDS - plugged)) -ge 30 ]; }
        wait_for 60 ready
        serve /run/image
        boots_now "a cable that comes late and a host that comes 30 s after it"
        check "mounted read-only" grep -q '^dummy_udc.0 / 9p ro,' <(root_line)
        ;;
    wrong-root)
        tree=$(export_directory root)
        serve "$tree"
        board_power_on
        says 60 'error: the directory that the host serves is empty'
        check "nothing stays mounted" wait_for 60 eval "! grep -q ' 9p ' /proc/1/mounts"
        as_user touch "$tree/holiday.jpg"
        says 60 "can't be started: there is no /sbin/init. At its top: holiday.jpg"
        as_user mkdir "$tree/sbin"
        as_user ln -s /lib/systemd/systemd "$tree/sbin/init"
        as_user mkdir -p "$tree/lib/systemd"
        as_user touch "$tree/lib/systemd/systemd"
        says 60 "/sbin/init is not executable"
        as_user chmod 755 "$tree/lib/systemd/systemd"
        says 60 "/sbin/init is neither a program nor a script"
        # The head of an arm64 program.
        printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\267\0\1\0\0\0' | as_user tee "$tree/lib/systemd/systemd" >/dev/null
        says 60 "/sbin/init is for another processor"
        as_user tee "$tree/lib/systemd/systemd" >/dev/null <<<'#!/bin/bash'
        says 60 "/sbin/init is a script for /bin/bash, which is not there"
        good=$(small_root good)
        as_user rm "$good/sbin/init" && as_user ln -s /bin/busybox "$good/sbin/init" && as_user rmdir "$good/run"
        host_stop 0
        serve "$good"
        says 60 "has no directory /run"
        # The last thing that is missing last: the board tries again every second.
        as_user tee "$good/etc/inittab" >/dev/null <<<'::sysinit:/bin/busybox cp /proc/uptime /run/lab-reached'
        as_user mkdir "$good/run"
        boots_now "and with the right root it boots"
        ;;
    wrong-aname)
        tree=$(small_root root)
        serve "$tree"
        board_power_on
        says 60 "error: the root could not be mounted. 'No such file or directory'"
        host_stop 0
        serve "$tree" --export "other=$tree"
        boots_now "when the host has that export it boots"
        [ "$LAB_DRIVER" = program ] || says 60 "making it anew"
        # What a second mount of one function can't stand.
        check_equal "parallel use" 8 "$(in_board_sh \
            'for i in 1 2 3 4 5 6 7 8; do busybox cat /bin/busybox >/dev/null && echo whole & done; wait' | grep -cx whole)"
        ;;
    wrong-tag)
        board_power_on
        says 60 "root=/dev/mmcblk0p2 is not a tag"
        says 60 "rebooting in 20 s .panic=20"
        board_reboots "and it reboots, as panic= says" 180
        ;;
    wrong-controller)
        board_power_on
        says 60 "error: no root within 3 s .usb9pfs.timeout.; waited for the USB device controller 'fe980000.usb'; there are: dummy_udc.0 usbip-vudc.0"
        says 60 "a shell; 'exit' leaves it"
        console_type "echo I am \$\$, \$(ls /sys/class/udc | wc -l) controllers"
        says 60 "I am [0-9]*, 2 controllers"
        console_type "exit"
        says 60 "going on"
        ;;
    read-only)
        tree=$(small_root root)
        serve "$tree" --read-only
        board_power_on
        boots_now "a read-only export, rw asked for"
        check "writing is refused" in_board_sh 'touch /file 2>&1 | grep -q "Read-only file system"'
        ;;
    overlay)
        tree=$(small_root root)
        serve "$tree" --read-only
        board_power_on
        boots_now "a read-only export with an overlay"
        check "the root is an overlay" grep -q ' / overlay ' <(in_board_sh 'cat /proc/mounts')
        check "it can be written" in_board_sh 'echo new >/file && echo changed >/etc/resolv.conf && rm /bin/sh && mkdir /dir'
        check_equal "and read" "new changed" "$(in_board_sh 'cat /file /etc/resolv.conf | xargs echo')"
        check "the host's tree is as it was" test ! -e "$tree/file" -a ! -e "$tree/dir" -a -L "$tree/bin/sh"
        check_equal "the host's file, too" "# the host's" "$(cat "$tree/etc/resolv.conf")"
        ;;
    bad-loader)
        tree=$(small_root root)
        as_user rm "$tree/sbin/init"
        as_user cp /bin/true "$tree/sbin/init" # its loader and libraries are not there
        serve "$tree"
        board_power_on
        says 60 "error: the root is mounted, but its /sbin/init can not be started"
        console_type "echo process \$(cat /proc/1/comm), \$(ls / | wc -l) directories"
        says 60 "process busybox, 7 directories"
        ;;
    shell-now)
        tree=$(small_root root)
        serve "$tree"
        board_power_on
        says 60 "a shell; 'exit' leaves it"
        check_equal "before any gadget is made" "" "$(ls /sys/kernel/config/usb_gadget)"
        console_type "echo process \$(cat /proc/1/comm), \$(ls /lib/usb9pfs | wc -w) entries"
        says 60 "process init, [0-9]* entries"
        check "the board has not gone on" eval '! started && ! console_says "mounting|waiting for a host"'
        console_type "exit"
        boots_now "the board boots when the shell is left"
        ;;
    replugged)
        # The host gives the device an address, but does not configure it.
        echo 0 >/sys/bus/usb/devices/usb1/authorized_default
        tree=$(small_root root)
        board_power_on
        for time in first second; do
            check "the host sees the board, the $time time" wait_for 60 board_device 0
            echo 1 >$port
            check "the cable is out" wait_for 60 board_gone 0
            echo 0 >$port
        done
        check "and in again" wait_for 60 board_device 0
        echo 1 >/sys/bus/usb/devices/usb1/authorized_default
        echo 1 >"$(board_device 0)/authorized"
        says 60 "waiting for a program on the host that serves the root"
        serve "$tree"
        boots_now "a cable that was out twice before the mount"
        ;;
    cable-out)
        [ "$LAB_DRIVER" = kernel ] || tree=$(small_root root)
        board_power_on
        check "the mount waits" wait_for 60 mount_waits
        echo 1 >$port
        if [ "$LAB_DRIVER" = kernel ]; then
            says 60 "error: a mount waited for the host's answer when the cable was pulled"
            says 60 "error: the cable was out, or the host reset the board, .*: the board must be rebooted"
            says 60 "rebooting in 20 s .panic=20"
            echo 0 >$port
            board_reboots "and it reboots, as panic= says" 180
        else
            check "the cable is out" wait_for 60 board_gone 0
            echo 0 >$port
            check "and in again" wait_for 60 board_device 0
            serve "$tree"
            boots_now "a cable that was out while the mount waited"
        fi
        ;;
    cable-out-stays)
        tree=$(small_root root)
        board_power_on
        check "the mount waits" wait_for 60 mount_waits
        echo 1 >$port
        check "the cable is out" wait_for 60 board_gone 0
        echo 0 >$port
        says 60 "error: the cable was out, or the host reset the board, .*: the board must be rebooted"
        says 60 "a shell; 'exit' leaves it"
        check "the board goes off the bus" wait_for 60 board_gone 0
        serve "$tree"
        echo 1 >$port
        echo 0 >$port
        console_type "usb9pfs-gadget status --tag dummy_udc.0; echo code \$?"
        says 60 "dummy_udc.0: a mount waited for the host's answer when the cable was pulled"
        says 60 "code 11"
        console_type "exit"
        says 60 "nothing more is tried here"
        ;;
    host-killed)
        tree=$(small_root root)
        serve "$tree"
        check "the host's program runs" wait_for 60 grep -qx p9fwd "/proc/$(cat /run/lab/host-0.pids)/comm"
        kill -STOP "$(cat /run/lab/host-0.pids)"
        board_power_on
        check "the mount waits" wait_for 60 mount_waits
        for time in 1 2 3; do
            host_kill
            serve_stopped "$tree"
            check "killed and started again, $time: the mount waits" mount_waits
        done
        host_kill
        serve "$tree"
        boots_now "with one that lives"
        check "the root is what is served" in_board_sh 'touch /here'
        check "and the host has it" test -e "$tree/here"
        ;;
    reboot)
        tree=$(small_root root)
        if [ -z "${LAB_BOOTED_BEFORE:-}" ]; then
            serve "$tree"
            board_power_on
            boots_now "it boots"
            check "and writes" in_board_sh 'echo first >/written'
            # Not before it is expected.
            { wait_for 60 test -e "$LAB_DIR/reboots" && in_board_sh 'cat /bin/busybox >/copy; reboot -f'; } &
            board_reboots "reboot -f on the board" 180 again
        else
            board_power_on
            says 60 "waiting for a program on the host that serves the root"
            serve "$tree"
            boots_now "it boots again"
            check "and writes again" in_board_sh 'echo second >/written'
            check_equal "to the host" second "$(cat "$tree/written")"
        fi
        ;;
    two)
        image_mount /run/image
        board_power_on
        second_board || fail "the second board"
        says 60 "this machine has no serial number"
        serve /run/image
        "${as_user[@]}" "$P9FWD" serve --path 2-1 /run/image </dev/null >>/run/lab/host-1.log 2>&1 &
        boots_now "the first boots"
        second_started() { [ -s "/proc/$(pgrep -P "$second")/root/run/lab-reached" ]; }
        check "the second boots" wait_for 60 second_started
        check_equal "the host tells them apart" "0 second" "$(cat /sys/bus/usb/devices/[12]-1/serial | paste -s -d ' ')"
        check_equal "each has its own" "dummy_udc.0 dummy_udc.1" "$(for pid in 1 "$(pgrep -P "$second")"; do
            awk '$2 == "/" { print $1 }' "/proc/$pid/mounts"
        done | paste -s -d ' ')"
        ;;
    static-ip)
        check "the documented address" boots_as_written docs/initramfs.md "Network" 2
        network_up
        serve /run/image
        boots_now "with a network beside it"
        network_works 172.31.0.2
        check_equal "the board's name" board "$(nsenter -t 1 --uts hostname)"
        ;;
    dhcp)
        check "the documented command line" boots_as_written docs/initramfs.md "Network" 1
        network_up
        printf '%s\n' 'start 172.31.0.10' 'end 172.31.0.10' "interface $interface" 'option subnet 255.255.255.0' \
            'option router 172.31.0.1' 'option dns 172.31.0.1' 'lease_file /run/lab/leases' 'pidfile /run/lab/udhcpd.pid' >/run/lab/udhcpd.conf
        : >/run/lab/leases
        busybox udhcpd -f /run/lab/udhcpd.conf </dev/null >/run/lab/udhcpd.log 2>&1 &
        serve /run/image
        boots_now "with a network beside it"
        network_works 172.31.0.10
        ;;
    usb-net)
        network_up
        ip addr flush dev "$interface"
        mount -t sysfs sysfs /sys # the old one shows the interfaces of the namespace it was mounted in
        # --nat, since without it no route is handed out. The uplink leads nowhere here: NAT is the scenario network's.
        check "usb-net up" "$LAB/../../scripts/host/usb-net" up --dhcp --dns --nat --uplink lo --subnet 172.31.0.1/24
        serve /run/image
        boots_now "with a network beside it"
        network_works "$("$LAB/../../scripts/host/usb-net" status --json | sed -n 's/.*"board_address": "\([^"]*\)".*/\1/p')"
        ;;
esac
check "no panic" eval '! console_says "Kernel panic|Oops|BUG:"'
