internal import FakeRoot
internal import LinuxFiles

/// Who makes a request: a user of the board.
///
/// The board's kernel has checked what the user may do. The server decides what goes with a change: who owns a new file, and
/// whether writing takes a program's privileges away.
public struct Caller: Hashable, Sendable {
    /// The user's number on the board.
    public let uid: UInt32

    /// A user by number.
    public init(uid: UInt32) {
        self.uid = uid
    }

    /// The user of this name in the board's own /etc/passwd; a number is a uid, and an unknown name is root (boot loaders
    /// send anything here).
    public init(named name: RawSpan, in export: Export) {
        self.init(uid: Self.uid(of: name.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }, in: export.tree))
    }

    private static func uid(of name: String, in tree: FakeRootTree) -> UInt32 {
        if let number = UInt32(name) { return number }
        guard !name.isEmpty, name != "root",
            let file = try? System.open(beneath: tree.root.raw, "etc/passwd", [.readOnly, .nonBlocking])
        else { return 0 }
        var text = [UInt8](repeating: 0, count: 64 << 10)
        let size = text.withUnsafeMutableBytes { (try? System.read(file.raw, into: $0, at: 0)) ?? 0 }
        for line in text[..<size].split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard fields.count > 2, fields[0].elementsEqual(name.utf8) else { continue }
            return UInt32(String(decoding: fields[2], as: UTF8.self)) ?? 0
        }
        return 0
    }

    /// Whether writing leaves the privileges of a file as they are: setuid, setgid, capabilities.
    var keepsPrivileges: Bool { uid == 0 }

    /// Who owns what the caller makes.
    /// - Parameter gid: the client's choice: its kernel knows the directory's setgid bit.
    func owner(gid: UInt32) -> Owner { Owner(uid: uid, gid: gid) }
}
