# One try at the root: the gadget, the mount, the overlay, and a check whether the root can be started.
# shellcheck shell=sh disable=SC2154 # the settings are read in command-line.sh
new_root=/root
state_dir=/run/usb9pfs

controllers() {
    for entry in /sys/class/udc/*; do
        [ ! -e "$entry" ] || printf '%s ' "${entry##*/}"
    done
}

# What the current try waits for, found out from outside: a mount can't be asked.
waits_for() {
    if [ -z "$(controllers)" ]; then
        echo "a USB device controller: there is none in /sys/class/udc. Its driver must be in the kernel, and in device mode"
        return
    fi
    controller=$(cat "$state_dir/udc" 2>/dev/null)
    if [ -z "$controller" ] || [ ! -e "/sys/class/udc/$controller" ]; then
        echo "the USB device controller${udc:+ "'$udc'"}; there are: $(controllers)"
        return
    fi
    state=$(cat "/sys/class/udc/$controller/state")
    if grep -q " 9p .*trans=\(usbg\|unix\)" /proc/mounts; then
        echo "an answer from the host about a file: is p9fwd still running there?"
    elif [ "$state" = configured ]; then
        echo "a program on the host that serves the root: p9fwd serve ROOTFS"
    else
        echo "a host on '$controller' (now: $state). Is the cable in the board's device port, and is the other end a computer?"
    fi
}

choose_controller() {
    rm -f "$state_dir/udc"
    if [ -n "$udc" ]; then
        until [ -e "/sys/class/udc/$udc" ]; do pause; done
        chosen=$udc
    else
        until [ -n "$(controllers)" ]; do pause; done
        # shellcheck disable=SC2046 # to count them
        set -- $(controllers)
        if [ $# -gt 1 ]; then
            say "error: there are several USB device controllers: $*. Name one: usb9pfs.udc=$1"
            return 1
        fi
        chosen=$1
    fi
    echo "$chosen" >"$state_dir/udc"
    tag=${root:-$chosen}
    if [ ${#tag} -gt 31 ]; then
        say "error: the controller's name '$tag' is longer than the 31 characters of a tag. Name the board: root=NAME"
        return 1
    fi
}

# gadget_up DIRECTORY OPTIONS: its exit code is the gadget program's.
gadget_up() {
    where=$1 with=$2
    set -- up --tag "$tag" --udc "$chosen" --mount "$where" -o "$with"
    [ -z "$serial" ] || set -- "$@" --serial "$serial"
    [ -z "$buflen" ] || set -- "$@" --buflen "$buflen"
    [ -z "$functions" ] || set -- "$@" --function usb9pfs
    for function in $functions; do set -- "$@" --function "$function"; done
    [ -z "$for_host" ] || set -- "$@" --for "$for_host"
    if [ -z "$quiet" ]; then
        usb9pfs-gadget "$@"
        return
    fi
    usb9pfs-gadget "$@" >"$state_dir/gadget.log" 2>&1 && return
    code=$?
    grep -v '^usb9pfs-gadget: [^e]' "$state_dir/gadget.log"
    return $code
}

mount_9p() {
    while :; do
        gadget_up "$@"
        code=$?
        case $code in
            0) return 0 ;;
            6) ;; # the host went away in between: wait for it again
            7)
                say "error: the root could not be mounted. 'No such file or directory' or 'Permission denied': what aname= in" \
                    "rootflags names is not what the host serves; 'Invalid argument': an option is wrong. rootflags=$rootflags"
                return 1
                ;;
            13) return 3 ;;
            *) return 1 ;;
        esac
    done
}

# resolve PATH: sets $resolved to the name below $new_root of what PATH will lead to in the new root; 1 if that is missing.
resolve() {
    rest=$1 resolved='' links=0
    while [ -n "$rest" ]; do
        name=${rest%%/*}
        case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
        case $name in
            "" | .) continue ;;
            ..) resolved=${resolved%/*} && continue ;;
        esac
        if [ -L "$new_root$resolved/$name" ]; then
            links=$((links + 1))
            [ $links -le 40 ] || return 1
            target=$(readlink "$new_root$resolved/$name") || return 1
            case $target in /*) resolved= ;; esac
            rest=$target/$rest
        else
            resolved=$resolved/$name
        fi
    done
    [ -e "$new_root$resolved" ]
}

# The bytes of an ELF header that tell its machine: class, data, machine.
elf_machine() { od -A n -t x1 -N 20 "$1" | tr -d ' \n' | sed 's/^\(........\)\(....\).*\(....\)$/\1 \2 \3/'; }

# can_start PATH: says why the kernel can't start it, if it can't. (The shell takes a program that the kernel refuses for a script.)
can_start() {
    resolve "$1" || { echo "there is no $1" && return 1; }
    file=$new_root$resolved
    if [ ! -f "$file" ] || [ ! -x "$file" ]; then
        echo "$1 is not executable"
        return 1
    fi
    own=$(elf_machine /proc/$$/exe)
    its=$(elf_machine "$file")
    case $its in
        "$own") ;;
        "7f454c46 "*)
            # For another machine; the kernel may be able to run it all the same (armhf on arm64).
            chroot "$new_root" /bin/sh -c : 2>/dev/null && return
            echo "$1 is for another processor than this one"
            return 1
            ;;
        2321*)
            interpreter=$(head -n 1 "$file" | sed 's/^#! *//;s/[ 	].*//')
            resolve "$interpreter" || { echo "$1 is a script for $interpreter, which is not there" && return 1; }
            ;;
        *)
            echo "$1 is neither a program nor a script with #!"
            return 1
            ;;
    esac
}

# Sets $found_init, or says what is wrong with the root.
check_root() {
    if [ -z "$(ls -A "$new_root" 2>/dev/null)" ]; then
        say "error: the directory that the host serves is empty, or can't be read. Is it the right one?"
        return 1
    fi
    # The order is the kernel's.
    for candidate in ${init:-/sbin/init /etc/init /bin/init /bin/sh}; do
        why=$(can_start "$candidate") && found_init=$candidate && break
        [ "$candidate" != "${init:-/sbin/init}" ] || first_why=$why
    done
    if [ -z "$found_init" ]; then
        # shellcheck disable=SC2012 # for a person's eyes
        has=$(ls -A "$new_root" | head -n 12 | tr '\n' ' ')
        say "error: what the host serves can't be started: $first_why. At its top: $has"
        return 1
    fi
    for point in dev proc sys run; do
        [ -d "$new_root/$point" ] && continue
        say "error: what the host serves has no directory /$point. Make the empty directories dev, proc, sys and run in it"
        return 1
    done
    echo "$found_init" >"$state_dir/init"
}

mount_overlay() {
    mkdir -p "$state_dir/writes" && mount -t tmpfs -o mode=755 tmpfs "$state_dir/writes" &&
        mkdir "$state_dir/writes/upper" "$state_dir/writes/work" &&
        mount -t overlay -o "lowerdir=$state_dir/lower,upperdir=$state_dir/writes/upper,workdir=$state_dir/writes/work" \
            usb9pfs "$new_root" && return
    grep -qw overlay /proc/filesystems || say "the kernel has no overlayfs: CONFIG_OVERLAY_FS=y"
    say "error: usb9pfs.overlay=tmpfs: the overlay could not be mounted. The kernel's log (dmesg) may say more"
    return 1
}

unmount_root() {
    for point in "$new_root" "$state_dir/writes" "$state_dir/lower"; do
        ! grep -q " $point " /proc/mounts || umount "$point" || return
    done
}

# 3: no try can mend it.
try_root() {
    found_init='' first_why=''
    unmount_root || return
    choose_controller || return
    if [ -n "$overlay" ]; then
        mkdir -p "$state_dir/lower"
        mount_9p "$state_dir/lower" "${mount_options:+$mount_options,}ro" && mount_overlay && check_root
    else
        mount_9p "$new_root" "${mount_options:+$mount_options,}$access" && check_root
    fi && return
    code=$?
    # Unmount at once: the host gets its session back, and a new mount sees what was mended there.
    unmount_root
    [ $code = 3 ] || code=1
    return $code
}
