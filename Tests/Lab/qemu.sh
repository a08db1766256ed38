# A kernel of Debian's as the lab's machine, in QEMU. Sourced by `run`, which calls these in place of User-mode Linux.
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034,SC2054 # the settings are run's; QEMU's have commas
#
#   qemu_prepare NAME          NAME as in `run --kernel`; sets $kernel, a directory of fetch-kernel, and $architecture
#   qemu_start_files DIRECTORY what process 1 needs in the archive in front of the board's own, to have the host side's files
#   qemu_command WORDS...      sets the array qemu: the command that boots it, with these words on the kernel's command line

qemu_prepare() {
    architecture=${1##*-}
    case $1 in ?*-amd64 | ?*-arm64) ;; *) stop "--kernel is SUITE-ARCHITECTURE, such as bookworm-amd64, not '$1'" ;; esac
    case $architecture in
        amd64) need_packages qemu-system-x86 kmod xz-utils zstd ;;
        arm64) need_packages qemu-system-arm kmod xz-utils zstd ;;
    esac
    kernel=$("$lab/fetch-kernel" "${1%-*}" "$architecture" | tail -n 1) || stop "no kernel $1, see above"
    kernel_version=$(cat "$kernel/version")
}

# The machine's own files come by 9P over virtio.
qemu_start_files() {
    local path name number=100
    mkdir -p "$1/modules"
    for name in virtio_pci virtio_blk ext4 9pnet_virtio 9p; do
        modprobe -d "$kernel" -S "$kernel_version" --show-depends "$name"
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' >"$1/order"
    while read -r path; do
        name=${path##*/}
        case $path in
            *.xz) xz -dc "$path" ;;
            *.zst) zstd -q -dc "$path" ;;
            *) cat "$path" ;;
        esac >"$1/modules/$((number++))-${name%%.ko*}.ko"
    done <"$1/order"
    rm "$1/order"
}

# One processor: with two, Debian's 6.1 had an oops in dummy_queue. Its FIFO of one request seems to be filled anew by the other processor
# while its last one is being given back; the 6.12 of the lab has a flag against that.
qemu_command() {
    local console=ttyS0
    case $architecture in
        amd64) qemu=(qemu-system-x86_64 -M q35 -cpu max) ;;
        arm64) qemu=(qemu-system-aarch64 -M virt -cpu cortex-a72) && console=ttyAMA0 ;;
    esac
    qemu+=(-accel "${accelerator:-tcg,thread=multi}" -m "$memory" -nodefaults -display none
        -chardev "file,id=console,path=$dir/console" -serial chardev:console
        -fsdev "local,id=machine,path=/,security_model=none,readonly=on,multidevs=remap"
        -device virtio-9p-pci,fsdev=machine,mount_tag=machine
        -fsdev "local,id=lab,path=$dir,security_model=none" -device virtio-9p-pci,fsdev=lab,mount_tag=lab
        ${disk:+-drive "file=$disk,if=virtio,format=raw,snapshot=on"}
        -kernel "$kernel/boot/vmlinuz-$kernel_version" -initrd "$dir/initrd" -append "console=$console $*")
}
