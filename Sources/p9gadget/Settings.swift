import CBoard

/// What `p9gadget serve` was told.
struct Settings {
    let words: Words
    /// Where FunctionFS is mounted.
    let functionFS: Int
    /// Where the kernel's client finds its socket.
    let socket: Int
    /// 0 if there is none.
    let pidFile: Int
    /// Requests that may be under way.
    let messages: Int
    /// The largest message, in bytes.
    let msize: Int

    /// Says what is wrong, if something is.
    init?(_ words: Words) {
        self.words = words
        var pidFile = 0, messages = 8, msize = 128 << 10
        let named = words.parse(
            isOption: { $0 == "--messages" || $0 == "--msize" || $0 == "--pid" },
            take: { option, value in
                if option == "--pid" {
                    pidFile = value
                } else if option == "--messages" {
                    guard let number = words[value].number, (1...64).contains(number) else {
                        _ = wrong("--messages is 1 to 64, not ", words.pointer(value))
                        return false
                    }
                    messages = number
                } else {
                    guard let number = words[value].number, (4096...1 << 20).contains(number) else {
                        _ = wrong("--msize is 4096 to 1048576, not ", words.pointer(value))
                        return false
                    }
                    msize = number
                }
                return true
            },
            missing: "name the directory of FunctionFS and the socket; try --help"
        )
        guard let named else { return nil }
        functionFS = named.first
        socket = named.second
        self.pidFile = pidFile
        self.messages = messages
        self.msize = msize
    }
}
