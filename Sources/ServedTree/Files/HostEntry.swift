internal import LinuxFiles

/// A `struct linux_dirent64`: `d_ino[8] d_off[8] d_reclen[2] d_type[1] d_name`, in the host's byte order.
struct HostEntry: ~Copyable, ~Escapable {
    private let bytes: UnsafeRawBufferPointer

    @_lifetime(borrow bytes)
    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var inode: UInt64 { bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self) }
    /// Where the host goes on after this entry.
    var position: Int64 { bytes.loadUnaligned(fromByteOffset: 8, as: Int64.self) }
    var length: Int { Int(bytes.loadUnaligned(fromByteOffset: 16, as: UInt16.self)) }

    /// From the `d_type` of `readdir(3)`; 0 where the file system doesn't tell.
    var format: FileFormat { FileFormat(mode: UInt32(bytes[18]) << 12) }

    var name: RawSpan {
        @_lifetime(copy self)
        get {
            let rest = bytes[19..<length]
            let end = rest.firstIndex(of: 0) ?? rest.endIndex
            let span = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: bytes[19..<end]))
            return _overrideLifetime(span, copying: self)
        }
    }
}
