internal import FakeRoot
internal import LinuxFiles

/// QEMU's `security_model=mapped-xattr`: `user.virtfs.uid`, `.gid` and `.mode` are u32 LE, the mode with its S_IFMT bits,
/// `user.virtfs.rdev` is u64 LE. Each one that is missing leaves it to the host's file. Symbolic links are regular files
/// with the target in them.
final class VirtfsReader: MetadataReader {
    static let prefix = "user.virtfs."
    static let uid = "user.virtfs.uid"
    static let gid = "user.virtfs.gid"
    static let mode = "user.virtfs.mode"
    static let device = "user.virtfs.rdev"

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        let attributes = try HostAttributes(of: file)
        func number(_ name: String, size: Int) throws(ImageError) -> UInt64? {
            guard let value = attributes[name] else { return nil }
            guard value.count == size else {
                throw ImageError(.badArchive, "the attribute \(name) of \(file.description) is damaged")
            }
            return value.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        let said = VirtfsNumbers(
            uid: try number(Self.uid, size: 4).map { UInt32(truncatingIfNeeded: $0) },
            gid: try number(Self.gid, size: 4).map { UInt32(truncatingIfNeeded: $0) },
            mode: try number(Self.mode, size: 4).map { UInt32(truncatingIfNeeded: $0) },
            device: try number(Self.device, size: 8)
        )
        var metadata = try said.metadata(of: file)
        metadata.attributes =
            attributes.own.filter { !$0.name.starts(with: "system.posix_acl_".utf8) }
            + attributes.stripped(of: Self.prefix).filter { $0.name.starts(with: "system.posix_acl_".utf8) }
        return metadata
    }
}

/// QEMU's `security_model=mapped-file`: the numbers of DIR/NAME stand in DIR/.virtfs_metadata/NAME as lines
/// `virtfs.uid=NUMBER`; those of the root in `.virtfs_metadata_root`.
final class VirtfsFileReader: MetadataReader {
    static let directoryName = ".virtfs_metadata"
    static let rootName = ".virtfs_metadata_root"
    /// More than the four lines that QEMU writes can have, in bytes.
    private static let limit: UInt64 = 4096

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        if file.name.elementsEqual(Self.directoryName.utf8) || file.name.elementsEqual(Self.rootName.utf8) { return nil }
        var metadata = FileMetadata(of: file)
        if let text = try text(of: file) {
            guard let said = Self.parse(text) else {
                throw ImageError(.badArchive, "the metadata of \(file.description) in \(Self.directoryName) are damaged")
            }
            metadata = try said.metadata(of: file)
        }
        metadata.attributes = try HostAttributes(of: file).own
        return metadata
    }

    private func text(of file: HostFile) throws(ImageError) -> [UInt8]? {
        let found: OwnedDescriptor
        do throws(Errno) {
            let flags: OpenMode = [.readOnly, .nonBlocking, .noFollow]
            if file.path.isEmpty {
                let name = try FileName(Self.rootName)
                found = try name.withCString { (name) throws(Errno) in
                    try System.open(at: file.directory, name, flags)
                }
            } else {
                let directoryName = try FileName(Self.directoryName)
                let directory = try directoryName.withCString { (name) throws(Errno) in
                    try System.open(at: file.directory, name, [.path, .directory, .noFollow])
                }
                let name = try FileName(file.name.span.bytes)
                found = try name.withCString { (name) throws(Errno) in
                    try System.open(at: directory.raw, name, flags)
                }
            }
        } catch .ENOENT {
            return nil
        } catch {
            throw ImageError("can't open the metadata of \(file.description)", error)
        }
        return try readMetadata(found.raw, "the metadata of \(file.description)", limit: Self.limit)
    }

    private static func parse(_ text: [UInt8]) -> VirtfsNumbers? {
        var numbers = VirtfsNumbers()
        for line in text.split(separator: UInt8(ascii: "\n")) {
            var scanner = ByteScanner(line)
            if scanner.take("virtfs.uid=") {
                numbers.uid = takeNumber(&scanner)
            } else if scanner.take("virtfs.gid=") {
                numbers.gid = takeNumber(&scanner)
            } else if scanner.take("virtfs.mode=") {
                numbers.mode = takeNumber(&scanner)
            } else if scanner.take("virtfs.rdev=") {
                numbers.device = takeNumber(&scanner).map(UInt64.init)
            } else {
                continue
            }
            guard scanner.isAtEnd else { return nil }
        }
        return numbers
    }

    /// QEMU prints with %d, so a large number is negative.
    private static func takeNumber(_ scanner: inout ByteScanner) -> UInt32? {
        if scanner.take("-") { return scanner.takeNumber(UInt32.self).map { 0 &- $0 } }
        return scanner.takeNumber(UInt32.self)
    }
}

/// What QEMU keeps of a file; nil leaves it to the host's.
struct VirtfsNumbers {
    var uid: UInt32?
    var gid: UInt32?
    /// With the S_IFMT bits.
    var mode: UInt32?
    var device: UInt64?

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata {
        let owner = Owner(uid: uid ?? file.status.uid, gid: gid ?? file.status.gid)
        let metadata = FileMetadata(
            owner: owner,
            mode: mode ?? file.status.mode,
            rawDevice: device ?? file.status.rawDevice
        )
        guard let metadata else { throw ImageError(.badArchive, "the mode that \(file.description) has is damaged") }
        return metadata
    }
}
