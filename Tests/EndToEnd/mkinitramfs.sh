#!/usr/bin/env bash
# scripts/boot/mkinitramfs: as an ordinary user, the same bytes each time, what it refuses; and how its init reads the
# command line, under each shell. What the initramfs does is in the lab (scenarios/initramfs.sh).
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages busybox-static dash cpio xz-utils zstd libarchive-tools binutils python3
make=$usb9pfs_root/scripts/boot/mkinitramfs
cd "$work"

# unpack ARCHIVE OPTION...: cpio may end before it has read all, so not from a pipe.
unpack() {
    zcat "$1" >plain
    cpio "${@:2}" <plain
}
# refused CODE NAME PATTERN [ARG...]
refused() {
    check_code "$1" "$2" as_developer "$make" "${@:4}"
    said "$3"
}

install -d -o "$developer_uid" -g "$developer_gid" made "made/with space"
as_developer "$make" --output made/one --json >made.json
TMPDIR=/var/tmp as_developer "$make" --output "made/with space/two" 2>/dev/null
check_equal "an ordinary user's, and the same bytes each time" "" "$(cmp made/one "made/with space/two" 2>&1)"
check_equal "--json" "1 $(sha256sum made/one | cut -d ' ' -f 1) $(stat -c %s made/one) gzip" \
    "$(python3 -c 'import json; o = json.load(open("made.json")); print(o["version"], o["sha256"], o["bytes"], o["compress"])')"
for how in none xz zstd; do
    as_developer "$make" --compress $how made/$how 2>/dev/null
    case $how in none) cat made/none ;; *) $how -dc made/$how ;; esac >plain
    check_equal "--compress $how: the same archive" "" "$(cmp plain <(zcat made/one) 2>&1)"
done
check_equal "the console" "crw------- root 5,1" "$(unpack made/one -tv --quiet './dev/console' 2>/dev/null | awk '{ print $1, $3, $5 $6 }')"
# What docs/initramfs.md says to type.
install -d -o "$developer_uid" -g "$developer_gid" checkout
(
    like_a_checkout checkout
    written_by=(as_developer)
    as_written docs/initramfs.md "An initramfs that mounts the root over USB" 1 2>/dev/null
    as_written docs/initramfs.md "Making it" 1 2>/dev/null
)
check_equal "documented: an initramfs" "" "$(cmp made/one checkout/initramfs.cpio.gz 2>&1)"
zstd -q -dc checkout/board.cpio.zst >plain
check_equal "documented: one for arm64, with a network" "for = linux" \
    "$(cpio -i --quiet --to-stdout ./etc/usb9pfs-gadget.conf <plain | paste -s -d ,)"
cpio -i --quiet --to-stdout ./bin/busybox <plain >busybox
check_equal "... its busybox" AArch64 "$(LC_ALL=C readelf -h busybox | sed -n 's/^ *Machine: *//p')"
touch empty.ko README
as -o first.ko </dev/null # an ELF file for this machine will do: nothing loads it here
cp first.ko second.ko
as_developer "$make" --module second.ko --module first.ko --function ecm --function acm made/more 2>/dev/null
check_equal "modules in the order given" "./lib/usb9pfs/modules/10-second.ko ./lib/usb9pfs/modules/11-first.ko" \
    "$(unpack made/more -t --quiet 2>/dev/null | grep ko | xargs echo)"
check_equal "functions" "function = usb9pfs,function = ecm,function = acm" \
    "$(unpack made/more -i --quiet --to-stdout ./etc/usb9pfs-gadget.conf 2>/dev/null | paste -s -d ,)"
printf 'serial = x' >settings
as_developer "$make" --config settings --function ecm made/more 2>/dev/null
check_equal "a file of settings whose last line does not end" "serial = x,function = usb9pfs,function = ecm" \
    "$(unpack made/more -i --quiet --to-stdout ./etc/usb9pfs-gadget.conf 2>/dev/null | paste -s -d ,)"

refused 2 "no file" "name the file" --arch amd64
refused 2 "a directory" "is a directory" --output made
refused 2 "unknown option" "unknown option '--frobnicate'" --frobnicate x
refused 2 "unknown architecture" "amd64, arm64 or armhf" --arch mips made/x
refused 2 "unknown compression" "gzip, xz, zstd or none" --compress rar made/x
refused 2 "a module that is not there" "there is no 'nothing.ko'" --module nothing.ko made/x
refused 2 "a module that is not an ELF file" "'empty.ko' is not a kernel module for" --module empty.ko made/x
refused 2 "a module by its name alone" "they end in .ko" --module README made/x
case $(dpkg --print-architecture) in armhf) other=arm64 ;; *) other=armhf ;; esac
refused 2 "a module for another processor" "'first.ko' is not a kernel module for $other: it is for" --arch $other --module first.ko made/x
refused 2 "a directory for its name" "'made' is a directory" made
refused 2 "a directory that is not there" "there is no directory 'nowhere'" nowhere/x
refused 2 "an unknown function" "no function 'telephone'" --function telephone made/x
refused 2 "networks that exclude each other" "leave out one" --for linux --function rndis made/x
printf 'function = ncm\ncolour = red\n' >"wrong settings"
refused 2 "a wrong configuration" "'wrong settings', line 2: unknown name 'colour'" --config "wrong settings" made/x
mkdir -p modules/1.2.3/kernel/fs modules/none
cp first.ko modules/1.2.3/kernel/fs/9p.ko
refused 2 "a directory without modules" "is not a directory of a kernel's modules" --kernel-modules modules/none made/x
refused 2 "a module that this kernel has not" "there is no module 'nothing' among those" --kernel-modules modules/1.2.3 --module nothing made/x
refused 2 "modules for another processor" "are not for $other: they are for" --arch $other --kernel-modules modules/1.2.3 made/x
as_developer "$make" --kernel-modules modules/1.2.3 made/more 2>/dev/null
check_equal "the module that the root needs, with its list" "./lib/modules/1.2.3/kernel/fs/9p.ko ./lib/modules/1.2.3/modules.dep" \
    "$(unpack made/more -t --quiet 2>/dev/null | grep -E '9p.ko|modules.dep' | xargs echo)"
refused 3 "a dynamic busybox" "not static" --busybox /bin/true made/x
refused 3 "a busybox for another machine" "not for arm64" --arch arm64 --busybox /bin/busybox made/x
refused 2 "a p9gadget for another machine" "'first.ko' is not a program for $other" --arch $other --program first.ko made/x
refused 3 "no program" "not an ELF program" --busybox empty.ko made/x
check_equal "nothing is left of what was refused" "$(printf '%s\n' more none one 'with space' xz zstd)" "$(ls made)"

# Another machine's busybox, from Debian. Nothing here runs it; all the rest is what boots in the lab.
# tree ARCHIVE: unpacks it, without /dev and links, in ./tree, and puts its busybox aside
tree() {
    rm -rf tree
    mkdir tree
    (cd tree && cpio --quiet -idm './[!d]*' <"$1")
    mv tree/bin/busybox busybox
    find tree -type l -delete
}
zcat made/one >plain
tree ../plain
mv tree own-tree
for arch in arm64 armhf; do
    for how in gzip xz zstd; do
        as_developer "$make" --arch $arch --compress $how made/$arch.$how 2>/dev/null
        $how -dc <made/$arch.$how >plain.$how
    done
    check_equal "--arch $arch: the same archive by gzip, xz and zstd" "" "$(cmp plain.gzip plain.xz 2>&1; cmp plain.gzip plain.zstd 2>&1)"
    check_equal "--arch $arch: the check that the kernel's xz knows" CRC32 "$(LC_ALL=C xz --robot -l made/$arch.xz 2>/dev/null | awk '$1 == "file" { print $7 }')"
    tree ../plain.xz
    check_equal "--arch $arch" "$([ $arch = arm64 ] && echo AArch64 || echo ARM)" "$(LC_ALL=C readelf -h busybox | sed -n 's/^ *Machine: *//p')"
    check_equal "--arch $arch: static" 0 "$(LC_ALL=C readelf -l busybox | grep -c INTERP)"
    check_equal "--arch $arch: all but busybox is as in the one that boots in the lab" "" "$(diff -r own-tree tree 2>&1)"
done
check_equal "armhf: for hard float" hard-float "$(LC_ALL=C readelf -h busybox | sed -n 's/^ *Flags: .*\(hard-float\).*/\1/p')"

# reads COMMAND-LINE VARIABLES...: what init makes of it
cat >reader <<'END'
. "$1/command-line.sh"
echo "$2" >line
read_command_line line
shift 2
for name; do
    eval "printf '%s=%s;' $name \"\$$name\""
done
END
for shell in dash "busybox ash" bash; do
    reads() { # NAME WANTED LINE VARIABLE...
        # shellcheck disable=SC2086 # "busybox ash" is two words
        check_equal "$shell: $1" "$2" "$($shell reader "$usb9pfs_root/scripts/boot/initramfs/lib" "${@:3}")"
    }
    reads "rsinit's form" "root=;mount_options=;access=ro;problem=;" "rootfstype=9p rootflags=trans=usbg" root mount_options access problem
    reads "barebox's form" "root=tag;mount_options=msize=65536,cache=loose,uname=tag,dfltuid=0,dfltgid=0,aname=/;access=rw;" \
        "root=tag rootfstype=9p rootflags=trans=usbg,msize=65536,cache=loose,uname=tag,dfltuid=0,dfltgid=0,aname=/ rw" root mount_options access
    reads "the kernel documentation's form" "mount_options=cache=loose,uname=root,access=client,aname=/a/b;replaced=access=0;" \
        "root=x rootfstype=9p rootflags=trans=usbg,cache=loose,uname=root,access=0,aname=/a/b" mount_options replaced
    reads "the last of ro and rw" "access=ro;" "rw ro" access
    reads "what follows -- is not ours" "access=ro;init=/a;" "init=/a -- rw init=/b" access init
    reads "functions" "functions= ecm acm ncm;for_host=linux;" "usb9pfs.function=ecm,acm usb9pfs.function=ncm usb9pfs.for=linux" functions for_host
    reads "names like patterns are left alone" "root=*;" "root=* *" root
    reads "a disk" "problem=the kernel's command line: root=/dev/sda1 is not a tag of a USB gadget: those are of A-Z a-z 0-9 . _ and -. Leave root= out, or give the board a name;" \
        "root=/dev/sda1" problem
    reads "a tag of 31 characters" "problem=;" "root=1234567890123456789012345678901" problem
    reads "a tag of 32" "problem=the kernel's command line: root=12345678901234567890123456789012 is longer than 31 characters, the most a tag may have;" \
        "root=12345678901234567890123456789012" problem
    reads "another transport" "problem=the kernel's command line: rootflags=...trans=virtio, but this initramfs mounts its root by 9P over USB: it must be trans=usbg;" \
        "rootflags=trans=virtio" problem
    reads "another file system" "problem=the kernel's command line: rootfstype=ext4, but this initramfs mounts its root by 9P over USB: it must be 9p;" \
        "rootfstype=ext4" problem
    reads "a number that is none" "problem=the kernel's command line: usb9pfs.timeout=soon is not a number of seconds;timeout=;" "usb9pfs.timeout=soon" problem timeout
    reads "a number with zeros before it" "timeout=9;problem=;" "usb9pfs.timeout=009" timeout problem
    reads "unknown words" "ignored= usb9pfs.colour=red;" "usb9pfs.colour=red" ignored
done
