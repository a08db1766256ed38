# Process 1 of the lab's kernel, or with `run --initrd` the first of the host side: sets the machine up, runs the scenario
# as a child, leaves its exit code for Tests/Lab/run in $LAB_DIR/result, and powers off. Sourced by the script that `run` writes.
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # lab_arguments and the variables come from `run`
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home TMPDIR=/run/tmp LANG=C.UTF-8
# systemd as a board's process 1 sends SIGTERM to all there is when it leaves its initramfs.
[ -z "$LAB_INITRD" ] || trap '' TERM
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/lab /run/lock && mkdir -m 1777 /run/tmp && mkdir -m 700 /run/home
chown "$LAB_UID:$LAB_GID" /run/home
mountpoint -q /dev || mount -t devtmpfs dev /dev # CONFIG_DEVTMPFS_MOUNT does it where /dev can be mounted on
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ln -sfn /proc/self/fd /dev/fd
ln -sfn /proc/self/fd/0 /dev/stdin
ln -sfn /proc/self/fd/1 /dev/stdout
ln -sfn /proc/self/fd/2 /dev/stderr
[ ! -d /sys/kernel/config ] || mount -t configfs configfs /sys/kernel/config # a stock kernel has it when the board has loaded it
ip link set lo up
echo lab >/proc/sys/kernel/hostname
echo 20 >/proc/sys/kernel/hung_task_timeout_secs 2>/dev/null
# In QEMU $LAB_DIR is on this machine, else tty0 carries what the scenario says. There all of the kernel's log goes to `run` (console=ttyS0).
said=/dev/tty0
[ -z "$LAB_DISK" ] || said=$LAB_DIR/said
dmesg -n 8 2>/dev/null
[ "$said" != /dev/tty0 ] || stty -F /dev/tty0 -opost 2>/dev/null

lab_end() {
    printf '%s\n' "$1" >"$LAB_DIR/result.new" && mv "$LAB_DIR/result.new" "$LAB_DIR/result"
    [ "$$" = 1 ] || return 0
}

lab_power_off() {
    sync "$LAB_DIR/result" 2>/dev/null
    echo o >/proc/sysrq-trigger
    sleep 60
}

# The watchdog: says what everything waits for, so that a hang can be understood from the log.
(
    sleep "$LAB_TIMEOUT"
    echo w >/proc/sysrq-trigger
    sleep 1
    lab_end timeout
    lab_power_off
) </dev/null >/dev/null 2>&1 &

# A reboot starts this kernel again, and so this.
if [ -e "$LAB_DIR/booted" ]; then
    code=1 name="the board rebooted" again=''
    [ ! -e "$LAB_DIR/reboots" ] || { read -r code && read -r name && read -r again; } <"$LAB_DIR/reboots"
    if [ "$code" = 0 ]; then echo "ok $name"; else echo "not ok $name"; fi >>"$said"
    if [ -z "$again" ]; then
        lab_end "$code"
        lab_power_off
    fi
    rm "$LAB_DIR/reboots"
    export LAB_BOOTED_BEFORE="$code" # for lib.sh
else
    : >"$LAB_DIR/booted"
    [ "$said" != /dev/tty0 ] || echo "--lab--" >"$said"
fi

bash "$LAB/scenario" "$LAB_SCENARIO" ${lab_arguments[@]+"${lab_arguments[@]}"} </dev/null >>"$said" 2>&1
lab_end $?
lab_power_off
