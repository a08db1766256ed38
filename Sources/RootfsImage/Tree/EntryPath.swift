internal import FakeRoot
internal import LinuxFiles

/// The path of an archive's entry, relative to the tree's root, checked name by name.
///
/// "./" at the beginning is stripped, and with it empty names and "." in the middle.
struct EntryPath {
    /// The names, joined by "/"; empty for the root itself.
    let bytes: [UInt8]
    private let ranges: [Range<Int>]

    /// Names in a path. Import, export and conversion have the same limits, so that nothing is written that can't be
    /// read again.
    static let maxDepth = 512
    /// PATH_MAX without its NUL, in bytes: no program on the board could open a longer one.
    static let maxLength = 4095

    enum Refusal: String, Error {
        case absolute = "its name begins with a \"/\""
        case dotDot = "its path has a \"..\""
        case longName = "a name in its path is longer than 255 bytes"
        case longPath = "its path is longer than 4095 bytes"
        case tooDeep = "it is nested more than 512 directories deep"
        case reservedName =
            "names that begin with \".usb9pfs-new.\", and those of p9serve's databases (.NAME.usb9pfs.db), are reserved"
    }

    /// - Parameter stripsSlash: whether a "/" at the beginning is stripped, and no reason to refuse the path.
    init(_ raw: [UInt8], stripsSlash: Bool) throws(Refusal) {
        guard stripsSlash || raw.first != UInt8(ascii: "/") else { throw .absolute }
        var bytes: [UInt8] = []
        var ranges: [Range<Int>] = []
        bytes.reserveCapacity(raw.count)
        for part in raw.split(separator: UInt8(ascii: "/")) {
            guard try Self.isName(part) else { continue }
            if !bytes.isEmpty { bytes.append(UInt8(ascii: "/")) }
            ranges.append(bytes.count..<bytes.count + part.count)
            bytes += part
        }
        if let refusal = Self.refusal(depth: max(ranges.count - 1, 0), length: bytes.count) { throw refusal }
        self.bytes = bytes
        self.ranges = ranges
    }

    /// Why no file can be so deep in a tree; nil if it can.
    /// - Parameters:
    ///   - depth: the directories between the root and the file.
    ///   - length: bytes of its path.
    static func refusal(depth: Int, length: Int) -> Refusal? {
        if length > maxLength { return .longPath }
        return depth >= maxDepth ? .tooDeep : nil
    }

    /// Checks a part of a path.
    /// - Returns: false for ".", which is skipped.
    static func isName(_ part: ArraySlice<UInt8>) throws(Refusal) -> Bool {
        let bytes = part.span.bytes
        if FileName.isDot(bytes) { return false }
        do throws(Errno) {
            guard try !FakeRootTree.isReservedName(FileName(bytes)) else { throw .ENOENT }
        } catch .ENAMETOOLONG {
            throw .longName
        } catch .ENOENT {
            throw .reservedName
        } catch {
            throw .dotDot
        }
        return true
    }

    var isRoot: Bool { ranges.isEmpty }

    /// How many directories lie between the root and the entry.
    var parentCount: Int { max(ranges.count - 1, 0) }

    /// A component, counted from the root.
    func component(_ index: Int) -> ArraySlice<UInt8> { bytes[ranges[index]] }

    /// The last component; there is none for the root.
    var last: ArraySlice<UInt8> { component(ranges.count - 1) }

    /// The path of the directory; empty for the root.
    var parent: [UInt8] { ranges.count > 1 ? Array(bytes[..<ranges[ranges.count - 2].upperBound]) : [] }

    /// The path of another name in the same directory.
    func sibling(_ name: [UInt8]) -> [UInt8] { parent.isEmpty ? name : parent + [UInt8(ascii: "/")] + name }

    /// The path as it may be printed.
    var description: String { isRoot ? "./" : printable(bytes) }
}
