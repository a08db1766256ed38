import CBoard

/// `p9gadget mount`: mounts what the host serves.
struct Mount {
    private let words: Words
    private var options = 0
    private var socket = 0
    private var directory = 0

    /// Says what is wrong, if something is.
    init?(_ words: Words) {
        self.words = words
        var index = 2
        while index < words.count {
            if words[index] == "-o" || words[index] == "--options" {
                index += 1
                guard index < words.count else {
                    _ = wrong("-o needs a value; try --help")
                    return nil
                }
                options = index
            } else if words.pointer(index)[0] == 0x2d {
                _ = wrong("unknown option ", words.pointer(index), "; try --help")
                return nil
            } else if socket == 0 {
                socket = index
            } else if directory == 0 {
                directory = index
            } else {
                _ = wrong("too many arguments: ", words.pointer(index))
                return nil
            }
            index += 1
        }
        guard directory > 0 else {
            _ = wrong("name the socket and the directory; try --help")
            return nil
        }
    }

    func run() -> Int32 {
        let result = board_mount_9p(
            words.pointer(socket),
            words.pointer(directory),
            ("trans=unix,version=9p2000.L,uname=root,access=client,cache=mmap,msize=131072" as StaticString).text,
            options > 0 ? words.pointer(options) : nil
        )
        guard result < 0 else { return 0 }
        let log = Log(2)
        switch -result {
        case 2:  // ENOENT
            log.say(
                "can't mount ",
                words.pointer(directory),
                ": there is no such directory, or no socket that nobody has mounted yet"
            )
            return ExitCode.alreadyThere
        case 19:  // ENODEV
            log.say("can't mount ", words.pointer(directory), ": the kernel has no 9p (CONFIG_9P_FS)")
            return ExitCode.kernelLacks
        case 93:  // EPROTONOSUPPORT
            log.say("can't mount ", words.pointer(directory), ": the kernel has no 9P over sockets (CONFIG_NET_9P_FD)")
            return ExitCode.kernelLacks
        default:
            log.say("can't mount ", words.pointer(directory), ": ", board_error_text(-result))
            return ExitCode.mountFailed
        }
    }
}
