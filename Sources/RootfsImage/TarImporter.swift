internal import FakeRoot
internal import LinuxFiles

/// Makes a directory, served as a root filesystem, of a tar archive; as an ordinary user.
///
/// All or nothing: the tree grows in a hidden directory beside the destination and is renamed at the end. Memory does
/// not grow with the archive. What the rules are for entries:
/// - Names are kept byte by byte. A leading "/" or "./" is stripped, from hard links' targets too.
/// - An entry replaces an earlier one of the same name, as in an archive that `tar -r` or `tar -u` has added to. A
///   directory that comes again gets the later owner, mode and time and keeps its content; one that is not empty can't
///   be replaced by anything else.
/// - Refused are "..", a path through what is no directory (a symbolic link above all), hard links to what is not in the
///   archive before them, and what Linux doesn't have: such types, device numbers, owners, names over 255 bytes.
///
/// The process' umask is cleared, as `FakeRootTree` says.
public struct TarImporter {
    /// The archive's size and what has been read of it, for a progress bar. Called for every entry and about every
    /// 256 KiB of content: take care to return fast.
    public typealias Observer = (ImportProgress) -> Void

    private let archive: String
    private let destination: String
    private let cancellation: Cancellation

    /// - Parameters:
    ///   - archive: the path of a tar file, plain or compressed with gzip, xz, zstd, bzip2, lzma, lz4, lzip or
    ///     compress; "-" for standard input.
    ///   - destination: the path of the directory to make; it must not exist or be empty, and its parent must exist.
    public init(archive: String, destination: String, cancellation: Cancellation = Cancellation()) {
        self.archive = archive
        self.destination = destination
        self.cancellation = cancellation
    }

    /// Imports; returns when the destination stands.
    /// - Throws: `ImageError`; nothing is left behind then.
    public func run(observer: Observer = { _ in }) throws(ImageError) -> ImportSummary {
        let start = ContinuousClock.now
        let input = try CompressedInput(openArchive(), cancellation)
        let staging = try StagingDirectory.make(for: destination)
        do throws(ImageError) {
            var summary = try fill(staging, from: input, observer)
            try staging.commit()
            summary.leftoversRemoved = staging.leftoversRemoved
            summary.archiveBytes = input.bytesRead
            summary.seconds = (ContinuousClock.now - start) / .seconds(1)
            return summary
        } catch {
            staging.discard()
            throw error
        }
    }

    private func openArchive() throws(ImageError) -> OwnedDescriptor {
        do throws(Errno) {
            return archive == "-" ? try System.duplicate(0) : try System.open(archive, .readOnly)
        } catch {
            throw ImageError("can't open \(archive == "-" ? "standard input" : archive)", error)
        }
    }

    private func fill(
        _ staging: borrowing StagingDirectory,
        from input: CompressedInput,
        _ observer: Observer
    ) throws(ImageError) -> ImportSummary {
        try probeAttributes(staging.directory.raw)
        let extraction: TreeExtraction
        do throws(Errno) {
            let root = try System.open(at: staging.directory.raw, ".", [.path, .directory])
            extraction = try TreeExtraction(FakeRootTree(owning: root))
        } catch {
            throw ImageError("can't open the new directory", error)
        }
        let stream = try ArchiveStream(input, cancellation)
        // Before the reader, which abandons the stream only once it exists.
        defer { stream.abandon() }
        let source = try ArchiveReader(stream, input)
        var progress = ImportProgress()
        progress.archiveSize = source.bytesTotal
        while let entry = try source.next() {
            guard !cancellation.isRequested else { throw ImageError(.cancelled, "the import was cancelled") }
            try extraction.extract(entry, from: source) { contentBytes in
                progress.archiveBytes = source.bytesRead
                progress.contentBytes = contentBytes
                observer(progress)
            }
            progress.entries = extraction.summary.entries
        }
        try source.finish()
        return try extraction.finish()
    }

    /// Tells before the first file, not at the first label, that the file system won't do.
    private func probeAttributes(_ directory: CInt) throws(ImageError) {
        let name: StaticString = "user.usb9pfs.probe"
        do throws(Errno) {
            try UnsafeRawPointer(name.utf8Start).withMemoryRebound(to: CChar.self, capacity: 19) {
                (name) throws(Errno) in
                try System.setAttribute(name, of: directory, to: [UInt8(ascii: "1")].span.bytes)
                try System.removeAttribute(name, of: directory)
            }
        } catch .EOPNOTSUPP {
            throw ImageError(
                .unsupportedFileSystem,
                "the file system of \(destination) can't hold user extended attributes, which keep owners, modes and "
                    + "device nodes",
                hint: "Import to a directory on a local Linux file system: ext4, xfs or btrfs.",
                cause: .EOPNOTSUPP
            )
        } catch {
            throw ImageError("can't set an extended attribute in \(destination)", error)
        }
    }
}
