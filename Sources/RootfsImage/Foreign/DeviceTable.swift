internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// A device table: lines of `NAME TYPE MODE UID GID MAJOR MINOR START INC COUNT`, as Buildroot's makedevs, genext2fs and
/// mkfs.ubifs read them.
///
/// Facts of makedevs: names for ids are looked up in the tree; a mode or id of -1 changes nothing; COUNT nodes from START
/// on get their number appended and minors MINOR, MINOR+INC, ...; with a COUNT of 0 or 1 it is one node under NAME itself;
/// a line `|xattr CLAUSE` after a file's gives it capabilities.
struct DeviceTable {
    enum Target: Hashable {
        /// f, a regular file that must exist; F, one that may be missing.
        case file(isOptional: Bool)
        /// d, made if it is missing, with its parents.
        case directory
        /// r, a directory and all beneath it.
        case recursive
        case node(NodeKind)
    }

    struct Line {
        var number: Int
        /// Relative to the root.
        var path: [UInt8]
        var target: Target
        var permissions: UInt32?
        var uid: UInt32?
        var gid: UInt32?
        /// Clauses as `FileCapabilities` reads them.
        var capability: String?
    }

    private(set) var lines: [Line] = []
    private let name: String

    /// More nodes than any table makes; a number of bytes must not become a number of gigabytes.
    private static let maxNodes = 1 << 20

    /// - Parameter name: of the file, for error messages.
    init(_ text: [UInt8], name: String, names: AccountNames) throws(ImageError) {
        self.name = name
        let rows = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, row) in rows.enumerated() {
            var scanner = ByteScanner(row)
            guard let first = scanner.takeWord(), first.first != UInt8(ascii: "#") else { continue }
            if first.elementsEqual("|xattr".utf8) {
                try addCapability(scanner, at: index + 1)
            } else {
                try add(Array(first), scanner, at: index + 1, names)
            }
        }
    }

    private func failure(_ line: Int, _ reason: String) -> ImageError {
        ImageError(
            .badArchive,
            "line \(line) of the device table \(name): \(reason)",
            hint: "Each line is: NAME TYPE MODE UID GID MAJOR MINOR START INC COUNT."
        )
    }

    private mutating func addCapability(_ scanner: ByteScanner, at number: Int) throws(ImageError) {
        guard !lines.isEmpty else { throw failure(number, "|xattr must follow a file's line") }
        var text = lines[lines.count - 1].capability.map { $0 + " " } ?? ""
        text += String(decoding: scanner.remaining, as: UTF8.self).filter { $0 != "\r" }
        do throws(FileCapabilities.TextError) {
            _ = try FileCapabilities(parsing: text)
        } catch {
            throw failure(number, "'\(printable(scanner.remaining))' names no capabilities: \(error.reason)")
        }
        lines[lines.count - 1].capability = text
    }

    private mutating func add(
        _ rawPath: [UInt8],
        _ scanner: ByteScanner,
        at number: Int,
        _ names: AccountNames
    ) throws(ImageError) {
        var scanner = scanner
        let path: [UInt8]
        do throws(EntryPath.Refusal) {
            path = try EntryPath(rawPath, stripsSlash: true).bytes
        } catch {
            throw failure(number, "\(printable(rawPath)): \(error.rawValue)")
        }
        guard let type = scanner.takeWord(), type.count == 1, let letter = type.first else {
            throw failure(number, "the type is missing")
        }
        let permissions = try mode(scanner.takeWord(), at: number)
        let uid = try identifier(scanner.takeWord(), at: number) { names.userNumber($0) }
        let gid = try identifier(scanner.takeWord(), at: number) { names.groupNumber($0) }
        var numbers: [UInt32] = []
        for _ in 0..<5 { numbers.append(try self.number(scanner.takeWord(), at: number)) }
        let line = Line(number: number, path: path, target: .directory, permissions: permissions, uid: uid, gid: gid)
        try add(line, letter, numbers)
    }

    private mutating func add(_ line: Line, _ letter: UInt8, _ numbers: [UInt32]) throws(ImageError) {
        var line = line
        let (major, minor, start, increment, count) = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])
        switch letter {
        case UInt8(ascii: "f"): line.target = .file(isOptional: false)
        case UInt8(ascii: "F"): line.target = .file(isOptional: true)
        case UInt8(ascii: "d"): line.target = .directory
        case UInt8(ascii: "r"): line.target = .recursive
        case UInt8(ascii: "p"), UInt8(ascii: "c"), UInt8(ascii: "b"):
            guard !line.path.isEmpty else { throw failure(line.number, "the root must be a directory") }
            guard lines.count + Int(count) <= Self.maxNodes else { throw failure(line.number, "too many nodes") }
            for index in 0..<max(count, 1) {
                var node = line
                if count > 1 { node.path += Array(String(start + index).utf8) }
                let (kind, device) = (letter, minor + index * increment)
                node.target = .node(
                    kind == UInt8(ascii: "p")
                        ? .pipe
                        : kind == UInt8(ascii: "c")
                            ? .character(major: major, minor: device) : .block(major: major, minor: device)
                )
                guard device < 1 << 20 else { throw failure(line.number, "minor \(device) is larger than Linux has") }
                lines.append(node)
            }
            return
        default: throw failure(line.number, "'\(printable([letter]))' is not a type")
        }
        lines.append(line)
    }

    private func mode(_ word: ArraySlice<UInt8>?, at line: Int) throws(ImageError) -> UInt32? {
        guard let word else { throw failure(line, "the mode is missing") }
        if word.elementsEqual("-1".utf8) { return nil }
        var scanner = ByteScanner(word)
        guard let mode = scanner.takeNumber(UInt32.self, radix: 8), scanner.isAtEnd, mode <= 0o7777 else {
            throw failure(line, "'\(printable(word))' is not a mode")
        }
        return mode
    }

    private func identifier(
        _ word: ArraySlice<UInt8>?,
        at line: Int,
        _ number: (String) -> UInt32?
    ) throws(ImageError) -> UInt32? {
        guard let word else { throw failure(line, "owner and group are missing") }
        let text = String(decoding: word, as: UTF8.self)
        if text == "-1" || text == "-" { return nil }
        guard let number = number(text) else {
            throw failure(
                line,
                "'\(printable(word))' is not a number, and no name in the directory's etc/passwd or etc/group"
            )
        }
        return number
    }

    /// Major, minor, start, increment and count are below 2^20 each; "-" and what is missing are 0.
    private func number(_ word: ArraySlice<UInt8>?, at line: Int) throws(ImageError) -> UInt32 {
        guard let word, !word.elementsEqual("-".utf8) else { return 0 }
        var scanner = ByteScanner(word)
        guard let number = scanner.takeNumber(UInt32.self), scanner.isAtEnd, number < 1 << 20 else {
            throw failure(line, "'\(printable(word))' is not a number below 1048576")
        }
        return number
    }
}
