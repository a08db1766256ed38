#!/usr/bin/env bash
# Settings from the boot loader, in a file in place of /proc/bootconfig: what usb9pfs-gadget and the initramfs make of them, and of
# odd and hostile ones; each under dash, busybox ash, bash, and by two kinds of awk. The kernel's own is in the lab (bootconfig.sh).
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages busybox-static dash mawk
library=$usb9pfs_root/scripts/gadget/lib
cd "$work"

# settings [CODE]: what `scheme` would be made of, by usb9pfs-gadget's functions; $1 of the inner shell is the library.
cat >settings <<'END'
USB9PFS_GADGET_LIB=$1 progname=usb9pfs-gadget
. "$USB9PFS_GADGET_LIB/gadget.sh"
bootconfig=bootconfig
gadget_defaults
[ -z "${3:-}" ] || set_setting "$3" "$4"
load_bootconfig
[ -z "${2:-}" ] || load_config "$2"
check_settings
echo "tag=$tag serial=$serial functions=$functions for=$for_host timeout=$timeout driver=$wanted_driver"
END
# reads COMMAND-LINE VARIABLE...: what the initramfs makes of it
cat >reader <<'END'
USB9PFS_GADGET_LIB=$1
. "$2/command-line.sh"
bootconfig=bootconfig
echo "$3" >line
read_command_line line
shift 3
for name; do
    eval "printf '%s=%s;' $name \"\$$name\""
done
END
mkdir mawk busybox
ln -s "$(command -v mawk)" mawk/awk
ln -s "$(command -v busybox)" busybox/awk

for pair in "mawk dash" "busybox busybox ash" "mawk bash"; do
    shell=${pair#* }
    PATH=$work/${pair%% *}:$PATH
    # shellcheck disable=SC2086 # "busybox ash" is two words
    run() { check_code "$1" "$shell: $2" $shell settings "$library" "${@:3}"; }
    # shellcheck disable=SC2086
    reads() { # NAME WANTED LINE VARIABLE...
        check_equal "$shell: $1" "$2" "$($shell reader "$library" "$usb9pfs_root/scripts/boot/initramfs/lib" "${@:3}")"
    }

    # As the kernel writes it, with what else may be there.
    printf '%s\n' 'kernel.console = "ttyS0"' 'usb9pfs.tag = "window"' "usb9pfs.serial = 'a \"b\" c'" 'usb9pfs.function = "usb9pfs", "ncm", "acm"' \
        'other.text = "several' 'usb9pfs.tag = wrong' 'lines"' 'other.empty = ""' 'usb9pfs.timeout = "7"' 'usb9pfs.rootflags = "trans=usbg,cache=loose"' \
        '# Parameters from bootloader:' '# root=/dev/sda1 usb9pfs.tag = "not this"' >bootconfig
    run 0 "settings"
    said 'tag=window serial=a "b" c functions=usb9pfs ncm acm for= timeout= driver='
    run 0 "the command line wins" "" tag door
    said "tag=door "
    run 0 "for functions too" "" function ecm
    said "functions=ecm "
    printf '%s\n' 'tag = cellar' 'function = ecm' 'timeout = 9' 'driver = kernel' >file
    run 0 "the bootconfig wins over the file" file
    said 'tag=window serial=a "b" c functions=usb9pfs ncm acm for= timeout=9 driver=kernel'
    reads "the initramfs" "root=window;serial=a \"b\" c;functions= ncm acm;timeout=7;mount_options=cache=loose;problem=;ignored=;" \
        "" root serial functions timeout mount_options problem ignored
    reads "the initramfs: the command line wins" "root=door;functions= ecm;mount_options=cache=none;timeout=8;" \
        "root=door usb9pfs.function=ecm rootflags=trans=usbg,cache=none usb9pfs.timeout=8 -- usb9pfs.timeout=9" root functions mount_options timeout

    printf '%s\n' 'usb9pfs.shell = ""' 'usb9pfs.overlay = "tmpfs"' 'usb9pfs.driver = "program"' 'usb9pfs.interface = "board%d"' \
        'usb9pfs.colour = "red"' >bootconfig
    run 0 "a setting that there is not"
    said "bootconfig: there is no setting 'usb9pfs.colour'"
    said "driver=program"
    reads "the initramfs: likewise" "shell=failure;overlay=tmpfs;ignored= usb9pfs.colour=red;problem=;" "" shell overlay ignored problem

    # Nothing of it is ever run, and what can't be is refused.
    # shellcheck disable=SC2016 # not to be expanded
    printf '%s\n' 'usb9pfs.serial = "$(touch ran) `touch ran`; touch ran"' >bootconfig
    run 0 "commands in a value"
    # shellcheck disable=SC2016
    said 'serial=$(touch ran) `touch ran`; touch ran '
    # shellcheck disable=SC2016
    reads "the initramfs: likewise" 'serial=$(touch ran) `touch ran`; touch ran;' "" serial
    # shellcheck disable=SC2016
    printf '%s\n' 'usb9pfs.$(touch ran) = "x"' >bootconfig
    run 2 "commands in a key"
    said "it is not of the form key = \"value\" at: usb9pfs.\$(touch ran)"
    # refused NAME REASON: by both; $1 describes what stands in ./bootconfig
    refused() {
        run 2 "$1"
        said "bootconfig: $2"
        reads "the initramfs: $1" "problem=bootconfig: $2;" "root=x" problem
    }
    printf 'usb9pfs.tag = x\n' >bootconfig
    refused "no quotes" "the value of 'usb9pfs.tag' is not in quotes"
    printf 'usb9pfs.tag = "x\n' >bootconfig
    refused "no end" "the value of 'usb9pfs.tag' is not in quotes"
    printf 'usb9pfs.serial = "x\ny"\n' >bootconfig
    refused "a value of two lines" "the value of 'usb9pfs.serial' has control characters"
    printf 'usb9pfs.serial = "x\033[2Jy"\n' >bootconfig
    refused "a value for a terminal" "the value of 'usb9pfs.serial' has control characters"
    printf 'usb9pfs.tag\n' >bootconfig
    run 2 "no value"
    said "it is not of the form"
    printf 'usb9pfs.tag = "../../etc"\n' >bootconfig
    run 2 "a tag that is a path"
    said "the tag '../../etc' may only have"
    reads "the initramfs: a tag that is a path" "problem=the kernel's command line: root=../../etc is not a tag of a USB gadget: those are of A-Z a-z 0-9 . _ and -. Leave root= out, or give the board a name;" \
        "" problem
    printf 'usb9pfs.function = "telephone"\n' >bootconfig
    run 2 "a function that there is not"
    said "there is no function 'telephone'"
    printf 'usb9pfs.timeout = "soon"\n' >bootconfig
    reads "the initramfs: a number that is none" "problem=bootconfig: usb9pfs.timeout=soon is not a number of seconds;timeout=;" "" problem timeout
    : >bootconfig
    run 0 "an empty one"
    said "tag=usb9pfs "
    rm bootconfig
    run 0 "none"
    said "tag=usb9pfs "
    reads "the initramfs: none" "root=x;problem=;" "root=x" root problem
    check "$shell: nothing was run" test ! -e ran
done

# What the page says.
page_text docs/gadget.md "Settings from the boot loader" 1 >bootconfig
run 0 "gadget.md"
said "tag=window serial= functions=usb9pfs ncm for= timeout= driver="
reads "gadget.md: the initramfs" "root=window;functions= ncm;mount_options=cache=loose;problem=;" "" root functions mount_options problem
