import CBoard

/// `p9gadget mount`: mounts what the host serves.
struct Mount {
    private let words: Words
    private let options: Int
    private let socket: Int
    private let directory: Int

    /// Says what is wrong, if something is.
    init?(_ words: Words) {
        self.words = words
        var options = 0
        let named = words.parse(
            isOption: { $0 == "-o" || $0 == "--options" },
            take: { _, value in
                options = value
                return true
            },
            missing: "name the socket and the directory; try --help"
        )
        guard let named else { return nil }
        self.options = options
        socket = named.first
        directory = named.second
    }

    func run() -> Int32 {
        let log = Log(2)
        // The mount's own ENOENT may be the host's answer.
        guard board_exists(words.pointer(directory)) != 0 else {
            log.say("can't mount ", words.pointer(directory), ": there is no such directory")
            return ExitCode.mountFailed
        }
        guard board_exists(words.pointer(socket)) != 0 else { return refusedByKeeper(log) }
        let result = board_mount_9p(
            words.pointer(socket),
            words.pointer(directory),
            ("trans=unix,version=9p2000.L,uname=root,access=client,cache=mmap,msize=131072" as StaticString).text,
            options > 0 ? words.pointer(options) : nil
        )
        guard result < 0 else { return 0 }
        switch -result {
        case 2:
            log.say(
                "can't mount ",
                words.pointer(directory),
                ": the host has no such file or directory; aname= names an export of it"
            )
            return ExitCode.mountFailed
        case 111: return refusedByKeeper(log)  // ECONNREFUSED
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

    private func refusedByKeeper(_ log: Log) -> Int32 {
        log.say("can't mount ", words.pointer(directory), ": there is no socket that nobody has mounted yet")
        return ExitCode.alreadyThere
    }
}
