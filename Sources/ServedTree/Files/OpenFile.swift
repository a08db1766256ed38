internal import FakeRoot
public import LinuxFiles

/// What a node was opened as.
public enum Opened: Sendable {
    case file(OpenFile)
    case directory(DirectoryStream)

    var descriptor: SharedDescriptor {
        switch self {
        case .file(let file): file.descriptor
        case .directory(let directory): directory.descriptor
        }
    }

    /// Waits until what was written is on the disk; a label is never left out.
    /// - Parameter dataOnly: leaves out what the host's file system can do without.
    /// - Throws: as `FakeRootTree.synchronize`.
    ///
    /// The corresponding C functions are `fsync` and `fdatasync`.
    public func synchronize(dataOnly: Bool) throws(Errno) {
        let tree =
            switch self {
            case .file(let file): file.node.tree
            case .directory(let directory): directory.node.tree
            }
        try descriptor.use { (descriptor) throws(Errno) in try tree.synchronize(descriptor, dataOnly: dataOnly) }
    }
}

/// A regular file that is open.
public final class OpenFile: Sendable {
    let descriptor: SharedDescriptor
    private let open: OpenNode
    private let access: FileAccess

    init(_ open: consuming OpenNode, _ descriptor: SharedDescriptor, _ access: FileAccess) {
        self.open = open
        self.descriptor = descriptor
        self.access = access
    }

    var node: Node { open.node }

    /// Reads until the buffer is full or the file ends.
    /// - Parameter offset: in bytes.
    /// - Returns: bytes read.
    /// - Throws: `EBADF` if the file was not opened to be read, `EINVAL` for an offset beyond 2⁶³.
    ///
    /// The corresponding C function is `pread`.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno) -> Int {
        guard access.contains(.read) else { throw .EBADF }
        let offset = try Self.position(offset)
        return try descriptor.use { (descriptor) throws(Errno) in try System.read(descriptor, into: buffer, at: offset)
        }
    }

    /// Writes all of a span. A file that a user other than root writes to loses its privileges.
    /// - Parameter offset: in bytes.
    /// - Returns: bytes written; fewer only if the file system is full or a limit was reached midway.
    /// - Throws: `EROFS`; `EBADF` if the file was not opened to be written, `EINVAL` for an offset beyond 2⁶³.
    ///
    /// The corresponding C function is `pwrite`.
    public func write(_ data: RawSpan, at offset: UInt64, by caller: Caller) throws(Errno) -> Int {
        try node.expectChangeable()
        guard access.contains(.write) else { throw .EBADF }
        return try descriptor.use { (descriptor) throws(Errno) in
            // Linux 6.12's client sends a request for this; older ones leave it to the server.
            if !caller.keepsPrivileges { try node.tree.dropPrivileges(of: descriptor) }
            return try System.write(descriptor, data, at: Self.position(offset))
        }
    }

    private static func position(_ offset: UInt64) throws(Errno) -> Int64 {
        guard let offset = Int64(exactly: offset) else { throw .EINVAL }
        return offset
    }
}
