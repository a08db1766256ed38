internal import FakeRoot
internal import LinuxFiles

/// QEMU's `security_model=mapped-file`: the numbers of DIR/NAME stand in DIR/.virtfs_metadata/NAME as lines
/// `virtfs.uid=NUMBER`; those of the root in `.virtfs_metadata_root`.
final class VirtfsFileReader: MetadataReader {
    static let directoryName = ".virtfs_metadata"
    static let rootName = ".virtfs_metadata_root"
    /// More than the four lines that QEMU writes can have, in bytes.
    private static let limit: UInt64 = 4096

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        if file.name.elementsEqual(Self.directoryName.utf8) || file.name.elementsEqual(Self.rootName.utf8) {
            return nil
        }
        var metadata = FileMetadata(of: file)
        if let text = try text(of: file) {
            guard let said = Self.parse(text) else {
                throw ImageError(
                    .badArchive,
                    "the metadata of \(file.description) in \(Self.directoryName) are damaged"
                )
            }
            metadata = try said.metadata(of: file)
        }
        metadata.attributes = try HostAttributes(of: file).own
        return metadata
    }

    func knows(_ file: HostFile) throws(ImageError) -> Bool { try text(of: file) != nil }

    private func text(of file: HostFile) throws(ImageError) -> [UInt8]? {
        let found: OwnedDescriptor
        do throws(Errno) {
            let flags: OpenMode = [.path, .noFollow]
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
        return try readMetadata(heldBy: found.raw, "the metadata of \(file.description)", limit: Self.limit)
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
