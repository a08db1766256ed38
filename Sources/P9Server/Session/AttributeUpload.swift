internal import LinuxFiles
internal import ServedTree
internal import Synchronization

/// The value of an extended attribute on its way from Txattrcreate over Twrite to Tclunk.
final class AttributeUpload: Sendable {
    let name: [UInt8]
    /// Announced size in bytes.
    let size: Int
    /// As in `setxattr(2)`.
    let flags: CInt
    private let received = Mutex<[UInt8]>([])

    /// XATTR_REPLACE
    private static let replace: CInt = 2
    /// With XATTR_CREATE: all that there are.
    static let possibleFlags: CInt = 1 | replace

    init(name: [UInt8], size: Int, flags: CInt) {
        self.name = name
        self.size = size
        self.flags = flags
    }

    /// Takes the next piece.
    /// - Throws: `EINVAL` for a gap, an overlap, or more than was announced.
    func append(_ data: RawSpan, at offset: UInt64) throws(Errno) {
        try received.withLock { received throws(Errno) in
            guard offset == UInt64(received.count), received.count + data.byteCount <= size else { throw .EINVAL }
            data.withUnsafeBytes { received.append(contentsOf: $0) }
        }
    }

    /// Stores what came; the Linux client removes an attribute by replacing it with nothing.
    /// - Throws: `EINVAL` if not all of it came; as `ChangeableFile.setAttribute` and `removeAttribute`.
    func store(on node: Node) throws(Errno) {
        let value = received.withLock { $0 }
        guard value.count == size else { throw .EINVAL }
        let name = name
        let file = try node.holdForChange()
        if value.isEmpty, flags == Self.replace {
            try file.removeAttribute(name.span.bytes)
        } else {
            try file.setAttribute(name.span.bytes, to: value.span.bytes, flags: flags)
        }
    }
}
