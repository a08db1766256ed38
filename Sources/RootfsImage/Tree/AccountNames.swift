public import FakeRoot
internal import LinuxFiles

/// The names of users and groups on the board: what its etc/passwd and etc/group say.
public struct AccountNames: Sendable {
    private var users: [UInt32: String] = [:]
    private var groups: [UInt32: String] = [:]
    private var userNumbers: [String: UInt32] = [:]
    private var groupNumbers: [String: UInt32] = [:]

    /// Files beyond this many bytes are not read: a tree may be anybody's.
    private static let maxSize = 4 << 20

    /// Reads the two files of a tree. What isn't there, or can't be read, gives no names but "root".
    public init(of tree: FakeRootTree) {
        for (name, number) in Self.pairs(in: tree, "etc/passwd") {
            if users[number] == nil { users[number] = name }
            if userNumbers[name] == nil { userNumbers[name] = number }
        }
        for (name, number) in Self.pairs(in: tree, "etc/group") {
            if groups[number] == nil { groups[number] = name }
            if groupNumbers[name] == nil { groupNumbers[name] = number }
        }
        for (name, number) in [("root", UInt32(0))] {
            if users[number] == nil { users[number] = name }
            if userNumbers[name] == nil { userNumbers[name] = number }
            if groups[number] == nil { groups[number] = name }
            if groupNumbers[name] == nil { groupNumbers[name] = number }
        }
    }

    /// The name of a user; nil if the tree has none for the number.
    public func user(_ number: UInt32) -> String? { users[number] }
    /// The name of a group; nil if the tree has none for the number.
    public func group(_ number: UInt32) -> String? { groups[number] }

    /// The number of a user, by its name or in digits; nil for neither.
    /// - Parameter text: a name or a decimal number; a name comes first, as with chown(1).
    public func userNumber(_ text: String) -> UInt32? { userNumbers[text] ?? Self.number(text) }
    /// The number of a group, by its name or in digits; nil for neither.
    public func groupNumber(_ text: String) -> UInt32? { groupNumbers[text] ?? Self.number(text) }

    /// 2^32 - 1 means "keep" to Linux and is not an owner.
    private static func number(_ text: String) -> UInt32? {
        guard let first = text.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first),
            let number = UInt32(text), number != UInt32.max
        else { return nil }
        return number
    }

    /// First and third field of each line.
    private static func pairs(in tree: FakeRootTree, _ path: String) -> [(name: String, number: UInt32)] {
        guard let text = try? content(of: path, in: tree) else { return [] }
        return text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 3, omittingEmptySubsequences: false)
            guard fields.count >= 3, let name = String(validating: fields[0], as: UTF8.self), !name.isEmpty,
                let number = number(String(decoding: fields[2], as: UTF8.self))
            else { return nil }
            return (name, number)
        }
    }

    private static func content(of path: String, in tree: FakeRootTree) throws(Errno) -> [UInt8] {
        let held = try System.open(inRoot: tree.root.raw, path, [.path])
        guard try System.status(of: held.raw).format == .regular else { throw .EINVAL }
        let file = try tree.open(held.raw, .readOnly)
        let size = Int(clamping: try System.status(of: file.raw).size)
        guard size <= maxSize else { throw .EFBIG }
        var bytes = [UInt8](repeating: 0, count: size)
        let count = try bytes.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
            try System.read(file.raw, into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        bytes.removeLast(size - count)
        return bytes
    }
}
