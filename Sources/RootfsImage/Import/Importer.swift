internal import FakeRoot
public import ImageEntries
internal import LinuxFiles

/// Makes a directory, served as a root filesystem, of an archive, an image or another tool's directory; as an ordinary
/// user.
///
/// All or nothing: the tree grows in a hidden directory beside the destination, is written to the disk, and renamed at
/// the end: after a power failure it is whole, or not there. Memory does not grow with the source. The rules for entries:
/// - Names are kept byte by byte. "./" at the beginning is stripped; a "/" there only if asked for, else refused.
/// - An entry replaces an earlier one of the same name and kind, as in an archive that `tar -r` or `tar -u` has added
///   to. A directory that comes again gets the later owner, mode and time and keeps its content. One of another kind is
///   refused, except in the layers of a container image, where it replaces what lower layers have, and in cpio archives,
///   where it replaces everything except a directory that is not empty, as the kernel does it.
/// - An entry whose path leads through symbolic links of the source goes where they lead (`DirectoryStack.resolve`). Where
///   an archive has a directory under the name of a link to a directory, the link stays.
/// - A file for which the source has no time, such as a directory that it only implies, has the time 1970-01-01.
/// - These are refused: "..", a path through a link that leads out of the tree or through another file, hard links to files
///   that don't come before them in the source, and types, device numbers, owners and names (over 255 bytes) that Linux
///   doesn't have.
///
/// The process' umask is cleared, as `FakeRootTree` says.
public struct Importer {
    /// The source's size and what has been read of it, for a progress bar. Called for every entry and about every
    /// 256 KiB of content: take care to return fast.
    public typealias Observer = (ImportProgress) -> Void

    private let source: String
    private let destination: String
    private let options: ImportOptions
    private let cancellation: Cancellation

    /// An import into a new directory; `run` does it.
    /// - Parameters:
    ///   - source: a path, "-" for standard input. Files may be compressed with gzip, xz, zstd, bzip2, lzma, lz4, lzip
    ///     or compress.
    ///   - destination: the path of the directory to make; it must not exist or be empty, and its parent must exist.
    public init(
        source: String,
        destination: String,
        options: ImportOptions = ImportOptions(),
        cancellation: Cancellation = Cancellation()
    ) {
        self.source = source
        self.destination = destination
        self.options = options
        self.cancellation = cancellation
    }

    /// Imports; returns when the destination is there.
    /// - Throws: `ImageError`; nothing is left behind then.
    public func run(observer: Observer = { _ in }) throws(ImageError) -> ImportSummary {
        let start = ContinuousClock.now
        let opener = SourceOpener(source, options, cancellation)
        try opener.prepare()
        let staging = try Staging.tree(for: destination, source: source)
        var database: String?
        do throws(ImageError) {
            var progress = ImportProgress()
            let result = try fill(staging, from: opener, &database, &progress, observer)
            if options.isSynchronized {
                progress.phase = .syncing
                observer(progress)
                try synchronize(staging.descriptor, database)
            }
            let leftoversRemoved = staging.leftoversRemoved
            try staging.publishTree(isSynchronized: options.isSynchronized)
            // Best effort: a database is found by the directory's identity, under any name.
            try? result.tree.followRename()
            var summary = result.summary
            summary.leftoversRemoved = leftoversRemoved
            summary.seconds = (ContinuousClock.now - start) / .seconds(1)
            return summary
        } catch {
            // `staging` removes the tree only. A database outside of it has been written by now, also where publishing failed.
            if let database { TreeDatabase.remove(database) }
            throw error
        }
    }

    /// Writes the tree to the disk, and its database, which may lie on another one.
    private func synchronize(_ directory: CInt, _ database: String?) throws(ImageError) {
        try ImageError.attempt("can't write \(ShellWord(destination)) to the disk") { () throws(Errno) in
            try System.synchronizeFileSystem(directory)
            guard let database else { return }
            // Not the file itself: closing it would take SQLite's locks away.
            let place = try System.open(Destination.split(database).parent, [.readOnly, .directory])
            guard try System.status(of: place.raw).device != System.status(of: directory).device else { return }
            try System.synchronizeFileSystem(place.raw)
        }
    }

    /// - Parameter database: gets the path of the new tree's database when there is one.
    private func fill(
        _ staging: borrowing Staging,
        from opener: SourceOpener,
        _ database: inout String?,
        _ progress: inout ImportProgress,
        _ observer: Observer
    ) throws(ImageError) -> (summary: ImportSummary, tree: FakeRootTree) {
        try opener.refuseNesting(staging.descriptor)
        let source = try opener.open(temporary: staging.descriptor) { bytes, total in
            progress.phase = .copying
            (progress.archiveBytes, progress.archiveSize) = (bytes, total)
            observer(progress)
        }
        let extraction = try prepare(staging.descriptor, opener.kind)
        let tree = extraction.tree
        database = tree.databasePath
        progress = ImportProgress()
        progress.archiveSize = source.bytesTotal
        progress.entriesTotal = source.entriesTotal
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
        var summary = try extraction.finish()
        summary.kind = opener.kind
        summary.archiveBytes = source.bytesRead
        if tree.storage == .database {
            summary.notices.append(
                "the file system of \(ShellWord(destination)) has no user extended attributes: all owners, modes and devices are in "
                    + "a database beside it"
            )
        }
        summary.notices += source.closingNotices.prefix(ImportSummary.maxNotices)
        if opener.kind == .tar, let kind = Self.imageThatCameLate(staging.descriptor) {
            summary.notices.append(
                "this is not a root filesystem but the files of a container image, whose list came after others: "
                    + "--from \(kind.rawValue) imports the image"
            )
        }
        return (summary, tree)
    }

    /// Whether a tree has the files of a container image, and none of a root filesystem. Then its archive was taken for an
    /// ordinary one, because its first entries did not show the difference.
    private static func imageThatCameLate(_ directory: CInt) -> SourceKind? {
        func has(_ name: String) -> Bool { (try? System.status(at: directory, name)) != nil }
        guard !has("etc"), !has("usr"), !has("bin") else { return nil }
        if has("oci-layout"), has("index.json") { return .oci }
        return has("manifest.json") ? .docker : nil
    }

    private func prepare(_ directory: CInt, _ kind: SourceKind) throws(ImageError) -> TreeExtraction {
        let tree = try ImageError.attempt("can't open the new directory") { () throws(Errno) in
            let root = try System.open(at: directory, ".", [.path, .directory])
            return try FakeRootTree(owning: root)
        }
        do throws(Errno) {
            let followsLinks = options.followsLinks && [.tar, .cpio, .oci, .docker].contains(kind)
            return try TreeExtraction(
                tree,
                options,
                hasManifest: true,
                followsLinks: followsLinks,
                replacesOtherKinds: kind == .cpio
            )
        } catch {
            let action = "can't make the metadata database of \(ShellWord(destination))"
            var failure = ImageError.writing(action, error, in: directory)
            // The database's own message says more, except about inodes.
            if let problem = tree.databaseProblem, failure.hint?.contains("df -i") != true {
                failure.message = "\(action): \(problem.message)"
            }
            throw failure
        }
    }
}
