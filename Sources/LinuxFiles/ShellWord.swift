/// A path as one word of a shell's command line, safe to paste.
///
/// Control characters and bytes beyond ASCII are written as `$'\\ooo'`, which bash, zsh and ksh know: so none of them reaches
/// the terminal.
public struct ShellWord: Sendable, CustomStringConvertible {
    /// The word, with the quotes that it needs.
    public let text: String

    /// The word, for a command line in a message.
    public var description: String { text }

    /// The word for a path.
    public init(_ path: some StringProtocol) {
        self.init(path.utf8)
    }

    /// The word for a path of any bytes.
    public init(_ path: some Sequence<UInt8>) {
        var bytes = Array(path)
        // Not an option.
        if bytes.first == UInt8(ascii: "-") { bytes = Array("./".utf8) + bytes }
        if !bytes.isEmpty, bytes.allSatisfy(Self.isPlain) {
            text = String(decoding: bytes, as: UTF8.self)
        } else if bytes.allSatisfy({ (0x20...0x7e).contains($0) }) {
            // In every shell: a quote ends the quoted part, an escaped quote follows, and the next quoted part begins.
            let parts = bytes.split(separator: UInt8(ascii: "'"), omittingEmptySubsequences: false)
            text = "'" + parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "'\\''") + "'"
        } else {
            text = "$'\(bytes.map(Self.escaped).joined())'"
        }
    }

    /// A command line of a program and its arguments, safe to paste. Options stay options.
    public static func commandLine(_ words: [String]) -> String {
        words.map { word in
            let dashes = word.prefix { $0 == "-" }
            let rest = word.dropFirst(dashes.count)
            return rest.isEmpty && !dashes.isEmpty ? String(dashes) : dashes + ShellWord(rest).text
        }.joined(separator: " ")
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "/._-+,:@".utf8.contains(byte)
        }
    }

    /// Within `$'...'`: three octal digits, as a digit may follow.
    private static func escaped(_ byte: UInt8) -> String {
        switch byte {
        case UInt8(ascii: "'"), UInt8(ascii: "\\"): "\\" + String(UnicodeScalar(byte))
        case 0x20...0x7e: String(UnicodeScalar(byte))
        default: "\\" + String(repeating: "0", count: byte < 8 ? 2 : byte < 64 ? 1 : 0) + String(byte, radix: 8)
        }
    }
}
