import CBoard

/// The board's end of the cable where the kernel has no driver for it (docs/gadget.md): a USB function by FunctionFS on one
/// side, the kernel's own 9P client on the other, by a socket that it mounts with trans=unix.
///
/// A root file system hangs on it. So it takes all its memory at the start, and from then on allocates nothing, opens nothing
/// of the root, and says what it has to say to the kernel's log.
@c(p9gadget_main)
func main(_ count: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int32 {
    let words = Words(arguments, Int(count))
    guard count > 1 else { return usage(2) }
    if words[1] == "--help" || words[1] == "-h" { return usage(0) }
    if words[1] == "--version" {
        board_print(1, "0.2.0\n")
        return 0
    }
    if words[1] == "mount" { return Mount(words)?.run() ?? 2 }
    if words[1] == "serve" { return Settings(words).map { Keeper.start($0) } ?? 2 }
    return wrong("no mode ", words.pointer(1), ": say serve or mount; try --help")
}

/// The exit codes, as usb9pfs-gadget has them.
enum ExitCode {
    static let failed: Int32 = 1
    static let wrongArguments: Int32 = 2
    static let kernelLacks: Int32 = 3
    static let mountFailed: Int32 = 7
    static let alreadyThere: Int32 = 8
}

private func usage(_ code: Int32) -> Int32 {
    board_print(
        code == 0 ? 1 : 2,
        """
        Usage: p9gadget serve [OPTION]... FFS SOCKET
               p9gadget mount [-o OPTIONS] SOCKET DIRECTORY

        serve makes the function of FFS, a mounted FunctionFS, one that p9fwd on the host finds; carries 9P messages between the
        host and whoever mounts SOCKET, one mount after the other; and goes on in the background. It is ready when it returns:
        the gadget can be bound to its controller then. SIGTERM ends it, unless somebody has mounted SOCKET.

          --messages N     requests that may be under way at a time, 1 to 64 (default 8)
          --msize BYTES    the largest message, 4096 to 1048576 (default 131072)
          --pid FILE       where to write the number of the process

        mount mounts what the host serves; it waits for the host as long as that takes.

          -o OPTIONS       mount options to add, a later one overrides; default: trans=unix,version=9p2000.L,uname=root,
                           access=client,cache=mmap,msize=131072

        Exit codes: 0 done, 1 anything else, 2 wrong arguments, 3 the kernel lacks a part, 7 the mount failed,
        8 SOCKET is mounted already

        Example, with a gadget whose function ffs.root is linked and FunctionFS mounted on /run/ffs:
          p9gadget serve --msize 1048576 /run/ffs /run/root.9p && echo dummy_udc.0 >UDC
          p9gadget mount -o msize=1048576,cache=loose /run/root.9p /mnt

        """
    )
    return code
}

/// Says what is wrong with the arguments.
func wrong(_ text: StaticString, _ argument: UnsafePointer<CChar>? = nil, _ rest: StaticString = "") -> Int32 {
    Log(2).say(text, argument, rest)
    return ExitCode.wrongArguments
}
