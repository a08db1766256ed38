import CBoard

/// What `p9gadget serve` was told.
struct Settings {
    let words: Words
    /// Where FunctionFS is mounted.
    private(set) var functionFS = 0
    /// Where the kernel's client finds its socket.
    private(set) var socket = 0
    private(set) var pidFile = 0
    /// Requests that may be under way.
    private(set) var messages = 8
    /// The largest message, in bytes.
    private(set) var msize = 128 << 10

    /// Says what is wrong, if something is.
    init?(_ words: Words) {
        self.words = words
        var index = 2
        while index < words.count {
            let word = words[index]
            if word == "--messages" || word == "--msize" || word == "--pid" {
                index += 1
                guard index < words.count else {
                    _ = wrong("", words.pointer(index - 1), " needs a value; try --help")
                    return nil
                }
                if word == "--pid" {
                    pidFile = index
                } else if word == "--messages" {
                    guard let number = words[index].number, (1...64).contains(number) else {
                        _ = wrong("--messages is 1 to 64, not ", words.pointer(index))
                        return nil
                    }
                    messages = number
                } else {
                    guard let number = words[index].number, (4096...1 << 20).contains(number) else {
                        _ = wrong("--msize is 4096 to 1048576, not ", words.pointer(index))
                        return nil
                    }
                    msize = number
                }
            } else if words.pointer(index)[0] == 0x2d {
                _ = wrong("unknown option ", words.pointer(index), "; try --help")
                return nil
            } else if functionFS == 0 {
                functionFS = index
            } else if socket == 0 {
                socket = index
            } else {
                _ = wrong("too many arguments: ", words.pointer(index))
                return nil
            }
            index += 1
        }
        guard socket > 0 else {
            _ = wrong("name the directory of FunctionFS and the socket; try --help")
            return nil
        }
    }
}
