internal import LinuxFiles
internal import Synchronization

/// The value of an extended attribute on its way from Txattrcreate over Twrite to Tclunk.
final class AttributeUpload: Sendable {
    let name: [UInt8]
    /// Announced size in bytes.
    let size: Int
    /// As in `setxattr(2)`.
    let flags: CInt
    private let received = Mutex<[UInt8]>([])

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

    /// The value.
    /// - Throws: `EINVAL` if not all of it came.
    func value() throws(Errno) -> [UInt8] {
        let value = received.withLock { $0 }
        guard value.count == size else { throw .EINVAL }
        return value
    }
}
