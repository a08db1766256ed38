public import CommandSupport
public import FakeRoot
internal import Glibc
internal import LinuxFiles
internal import RootfsImage

/// What the board sees of one file, for people and as JSON.
public struct BoardView {
    /// As the user wrote it.
    public let path: String
    /// What the board sees.
    public let status: BoardStatus
    /// The owner's name on the board; nil if it has none.
    public let user: String?
    /// The group's name on the board; nil if it has none.
    public let group: String?
    /// Where a symbolic link leads; nil for everything else.
    public let target: String?
    /// In the order of their names.
    public let attributes: [Attribute]

    /// An extended attribute.
    public struct Attribute {
        /// As the board says it.
        public let name: String
        /// Any bytes.
        public let value: [UInt8]
    }

    /// Reads what the board sees of a file.
    /// - Throws: `CommandFailure`.
    public init(_ file: borrowing TreeFile) throws {
        path = file.path
        status = try file.status()
        user = file.names.user(status.uid)
        group = file.names.group(status.gid)
        do throws(Errno) {
            target = status.kind == .symlink ? printable(try System.linkTarget(of: file.descriptor.raw)) : nil
            attributes = try Self.attributes(of: file.descriptor.raw, in: file.tree)
        } catch {
            throw CommandFailure(path: path, "can't look at", error)
        }
    }

    private static func attributes(of descriptor: CInt, in tree: FakeRootTree) throws(Errno) -> [Attribute] {
        var attributes: [Attribute] = []
        for name in try tree.attributeNames(of: descriptor).split(separator: 0) {
            let value = try tree.attribute(Array(name).span.bytes, of: descriptor)
            attributes.append(Attribute(name: printable(name), value: value))
        }
        return attributes
    }

    // MARK: Lines

    /// As `ls -l` begins a line, up to the time: "-rwsr-xr-x 1 root root 281624 2026-11-21 12:00".
    /// - Parameter isNumeric: whether owner and group are numbers in any case.
    public func columns(isNumeric: Bool, isHumanReadable: Bool) -> [String] {
        let size = status.host.size
        return [
            modeText, String(status.host.linkCount),
            isNumeric ? String(status.uid) : user.map { printable($0) } ?? String(status.uid),
            isNumeric ? String(status.gid) : group.map { printable($0) } ?? String(status.gid),
            device.map { "\($0.major), \($0.minor)" } ?? (isHumanReadable ? ByteCount(size).text : String(size)),
            timeText,
        ]
    }

    private var timeText: String {
        var seconds = time_t(status.host.modificationTime.seconds)
        var parts = tm()
        localtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 32)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M", &parts)
        return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Several lines, as `stat` prints.
    public var description: String {
        var lines = ["\(printable(path))\(target.map { " -> \($0)" } ?? "")"]
        let size = device.map { "device \($0.major), \($0.minor)" } ?? "\(status.host.size) bytes"
        lines.append("  type    \(typeText), \(size), links \(status.host.linkCount)")
        lines.append("  mode    \(octal(status.permissions)) \(modeText)")
        lines.append("  owner   \(named(status.uid, user)), group \(named(status.gid, group))")
        for attribute in attributes { lines.append("  xattr   \(attribute.name) \(attribute.text)") }
        let host = status.host
        lines.append(
            "  host    \(octal(host.mode & 0o7777)), owner \(host.uid), group \(host.gid), inode \(host.inode)"
        )
        return lines.joined(separator: "\n")
    }

    private func named(_ number: UInt32, _ name: String?) -> String {
        name.map { "\(number) (\(printable($0)))" } ?? "\(number)"
    }

    private func octal(_ mode: UInt32) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(4 - digits.count, 0)) + digits
    }

    private var device: (major: UInt32, minor: UInt32)? {
        switch status.kind {
        case .block(let major, let minor), .character(let major, let minor): (major, minor)
        default: nil
        }
    }

    private var typeText: String {
        switch status.kind {
        case .file: "regular file"
        case .directory: "directory"
        case .symlink: "symbolic link"
        case .pipe: "FIFO"
        case .socket: "socket"
        case .block: "block device"
        case .character: "character device"
        }
    }

    /// "drwxr-xr-t".
    public var modeText: String {
        let type =
            switch status.kind {
            case .file: "-"
            case .directory: "d"
            case .symlink: "l"
            case .pipe: "p"
            case .socket: "s"
            case .block: "b"
            case .character: "c"
            }
        let mode = status.permissions
        func triple(_ shift: UInt32, _ special: UInt32, _ letters: (set: String, bare: String)) -> String {
            let bits = mode >> shift & 7
            let execute =
                mode & special == 0 ? (bits & 1 != 0 ? "x" : "-") : (bits & 1 != 0 ? letters.set : letters.bare)
            return (bits & 4 != 0 ? "r" : "-") + (bits & 2 != 0 ? "w" : "-") + execute
        }
        return type + triple(6, 0o4000, ("s", "S")) + triple(3, 0o2000, ("s", "S")) + triple(0, 0o1000, ("t", "T"))
    }

    // MARK: JSON

    /// The keys are an interface: version 1.
    public var json: JSONValue {
        var members: [(key: String, value: JSONValue)] = [
            ("path", .string(path)), ("type", .string(typeText)), ("mode", .string(octal(status.permissions))),
            ("uid", .integer(status.uid)), ("gid", .integer(status.gid)), ("user", JSONValue(user)),
            ("group", JSONValue(group)), ("size", .integer(status.host.size)),
            ("links", .integer(status.host.linkCount)),
        ]
        if let device {
            members += [("major", .integer(device.major)), ("minor", .integer(device.minor))]
        }
        if let target { members.append(("target", .string(target))) }
        members.append(("attributes", .object(attributes.map { ($0.name, .string($0.hex)) })))
        let host = status.host
        members.append(
            (
                "host",
                .object([
                    ("mode", .string(octal(host.mode & 0o7777))), ("uid", .integer(host.uid)),
                    ("gid", .integer(host.gid)), ("inode", .integer(host.inode)),
                ])
            )
        )
        return .object(members)
    }
}

extension BoardView.Attribute {
    /// Capabilities in words, text as such, all else in hexadecimal digits.
    var text: String {
        if name == "security.capability", let capabilities = FileCapabilities(value) { return capabilities.text }
        let isText = value.allSatisfy { (0x20..<0x7f).contains($0) }
        return isText ? "\"\(String(decoding: value, as: UTF8.self))\"" : "0x\(hex)"
    }

    var hex: String {
        value.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
