internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// QEMU's `security_model=mapped-file`: the numbers of DIR/NAME stand in DIR/.virtfs_metadata/NAME as lines
/// `virtfs.uid=NUMBER`; those of the root in `.virtfs_metadata_root`.
final class VirtfsFileReader: MetadataReader {
    static let directoryName = ".virtfs_metadata"
    static let rootName = ".virtfs_metadata_root"
    /// More than the four lines that QEMU writes can have, in bytes.
    private static let limit: UInt64 = 4096
    private let trust: MetadataTrust

    init(_ trust: MetadataTrust) {
        self.trust = trust
    }

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        if file.name.elementsEqual(Self.directoryName.utf8) || file.name.elementsEqual(Self.rootName.utf8) {
            return nil
        }
        var metadata = FileMetadata(of: file)
        let (text, isDoubted) = try text(of: file)
        if isDoubted { trust.note(file) }
        if let text {
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

    func knows(_ file: HostFile) throws(ImageError) -> Bool { try text(of: file).text != nil }

    /// - Returns: nil for what there is not, or is not believed: in a directory like /tmp everybody can make such files.
    private func text(of file: HostFile) throws(ImageError) -> (text: [UInt8]?, isDoubted: Bool) {
        let name = "the metadata of \(file.description)"
        let found: OwnedDescriptor
        var isBelieved = true
        do throws(Errno) {
            found = try open(file, &isBelieved)
        } catch .ENOENT {
            return (nil, false)
        } catch {
            throw ImageError("can't open \(name)", error)
        }
        return isBelieved ? (try readMetadata(heldBy: found.raw, name, limit: Self.limit), false) : (nil, true)
    }

    /// - Parameter isBelieved: false if the metadata, or their directory, are another user's.
    private func open(_ file: HostFile, _ isBelieved: inout Bool) throws(Errno) -> OwnedDescriptor {
        let flags: OpenMode = [.path, .noFollow]
        guard !file.path.isEmpty else {
            let found = try FileName(Self.rootName).withCString { (name) throws(Errno) in
                try System.open(at: file.directory, name, flags)
            }
            isBelieved = try covers(found)
            return found
        }
        let directory = try FileName(Self.directoryName).withCString { (name) throws(Errno) in
            try System.open(at: file.directory, name, [.path, .directory, .noFollow])
        }
        let found = try FileName(file.name.span.bytes).withCString { (name) throws(Errno) in
            try System.open(at: directory.raw, name, flags)
        }
        let areBelieved = (directory: try covers(directory), found: try covers(found))
        isBelieved = areBelieved.directory && areBelieved.found
        return found
    }

    private func covers(_ metadata: borrowing OwnedDescriptor) throws(Errno) -> Bool {
        try trust.covers(metadata.raw, System.status(of: metadata.raw))
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
