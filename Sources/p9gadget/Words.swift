import CBoard

/// A program's arguments.
struct Words {
    private let words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    let count: Int

    init(_ words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>, _ count: Int) {
        self.words = words
        self.count = count
    }

    subscript(_ index: Int) -> Word { Word(start: pointer(index)) }

    func pointer(_ index: Int) -> UnsafePointer<CChar> {
        guard index < count, let word = words[index] else { return Self.empty }
        return UnsafePointer(word)
    }

    /// Takes the arguments behind the mode: options, each with a value, and two more. Says what is wrong, if something is.
    /// - Parameters:
    ///   - isOption: whether there is an option of this name.
    ///   - take: takes an option's value by its index; false if it has said what is wrong with it.
    ///   - missing: what to say if there are fewer than two more.
    /// - Returns: the indices of the two.
    func parse(
        isOption: (Word) -> Bool,
        take: (_ option: Word, _ value: Int) -> Bool,
        missing: StaticString
    ) -> (first: Int, second: Int)? {
        var first = 0, second = 0, index = 2
        while index < count {
            if isOption(self[index]) {
                index += 1
                guard index < count else {
                    _ = wrong("", pointer(index - 1), " needs a value; try --help")
                    return nil
                }
                guard take(self[index - 1], index) else { return nil }
            } else if pointer(index)[0] == 0x2d {
                _ = wrong("unknown option ", pointer(index), "; try --help")
                return nil
            } else if first == 0 {
                first = index
            } else if second == 0 {
                second = index
            } else {
                _ = wrong("too many arguments: ", pointer(index))
                return nil
            }
            index += 1
        }
        guard second > 0 else {
            _ = wrong(missing)
            return nil
        }
        return (first, second)
    }

    private static var empty: UnsafePointer<CChar> { ("" as StaticString).text }

    /// Marks the process as one that the root file system hangs on: systemd spares what begins with "@" when it ends all others
    /// ("Storage Daemons for the Root File System").
    func markAsStorageDaemon() { words[0]?.pointee = 0x40 }
}

/// One argument.
struct Word {
    let start: UnsafePointer<CChar>

    static func == (word: Word, text: StaticString) -> Bool {
        var index = 0
        while index < text.utf8CodeUnitCount {
            guard word.start[index] == CChar(bitPattern: text.utf8Start[index]) else { return false }
            index += 1
        }
        return word.start[index] == 0
    }

    /// A decimal number of at most nine digits.
    var number: Int? {
        var value = 0, index = 0
        while word(index) != 0 {
            guard (0x30...0x39).contains(word(index)), index < 9 else { return nil }
            value = value * 10 + Int(word(index) - 0x30)
            index += 1
        }
        return index > 0 ? value : nil
    }

    private func word(_ index: Int) -> UInt8 { UInt8(bitPattern: start[index]) }
}

extension StaticString {
    /// The text for C, which ends with a NUL.
    var text: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }
}

/// Lines for people: standard error, or the kernel's log.
struct Log {
    private let descriptor: Int32

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    func say(
        _ a: StaticString,
        _ b: UnsafePointer<CChar>? = nil,
        _ c: StaticString = "",
        _ d: UnsafePointer<CChar>? = nil
    ) {
        board_say(descriptor, a.text, b, c.text, d)
    }
}

/// Writes text as it is.
func board_print(_ descriptor: Int32, _ text: StaticString) {
    _ = board_write(descriptor, text.utf8Start, text.utf8CodeUnitCount)
}
