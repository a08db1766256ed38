internal import FakeRoot
public import ImageEntries
internal import LinuxFiles

/// Turns one tool's way of keeping owners, modes and device nodes into another's: in place, or in a copy.
///
/// In place, three passes go through the tree. The first writes the new metadata beside the old, the second replaces the
/// few files that must be of another type (each by one rename), the third removes the old metadata. An attribute of the
/// root tells the pass; so at every moment either the old or the new metadata of a file are whole, and a conversion that
/// was interrupted is finished by calling it again.
///
/// Nobody should change the tree meanwhile.
public struct TreeConversion {
    /// What to convert to, and how.
    public struct Options: Sendable {
        /// Nil to find out.
        public var from: MetadataKind?
        /// The kind of the new metadata.
        public var to: MetadataKind
        /// The metadata file to read, for the kinds that have one; nil to look for it beside the directory.
        public var metadata: String?
        /// The metadata file to write, for the kinds that have one; nil for the usual place beside the directory.
        public var newMetadata: String?
        /// A directory to make; nil to convert in place.
        public var output: String?
        /// Nothing is changed; the summary says what would be.
        public var isDryRun = false
        /// What the target can't hold is an error before anything is changed.
        public var isStrict = false

        /// In place, from what is detected.
        public init(to: MetadataKind) {
            self.to = to
        }
    }

    /// The kinds that can be written.
    public static let targets: [MetadataKind] = [.overrideStat, .rsync, .virtfs, .pseudo, .deviceTable]

    /// Called for every file of every pass.
    public typealias Observer = (_ pass: String, _ files: Int) -> Void

    let directory: String
    let options: Options
    let cancellation: Cancellation
    let observer: Observer

    /// A conversion of a directory; see `run`.
    public init(
        _ directory: String,
        _ options: Options,
        cancellation: Cancellation = Cancellation(),
        observer: @escaping Observer = { _, _ in }
    ) {
        self.directory = directory
        self.options = options
        self.cancellation = cancellation
        self.observer = observer
    }

    /// Converts; returns when all is done.
    /// - Throws: `ImageError`. A copy leaves nothing behind then; in place, the next call goes on from there.
    public func run() throws(ImageError) -> ConversionSummary {
        guard Self.targets.contains(options.to) else {
            throw ImageError(
                .badDestination,
                "can't convert to \(options.to.label)",
                hint: "There are: " + Self.targets.map(\.rawValue).joined(separator: ", ") + "."
            )
        }
        let start = ContinuousClock.now
        let root = try ImageError.attempt("can't open \(ShellWord(directory))") { () throws(Errno) in
            try System.open(directory, [.readOnly, .directory])
        }
        try lock(root.raw)
        var summary = try convert(root.raw)
        extendLifetime(root)
        summary.seconds = (ContinuousClock.now - start) / .seconds(1)
        return summary
    }

    /// A program that another thread starts holds the lock of an earlier conversion for a moment, so one look is not
    /// enough.
    private func lock(_ root: CInt) throws(ImageError) {
        for _ in 0..<20 {
            let isLocked = try ImageError.attempt("can't lock \(ShellWord(directory))") { () throws(Errno) in
                try System.tryLock(root)
            }
            if isLocked { return }
            _ = Monitor(()).wait(seconds: 0.05) { _ in nil as Void? }
        }
        throw ImageError(.badDestination, "\(ShellWord(directory)) is being converted by another process")
    }

    private func convert(_ root: CInt) throws(ImageError) -> ConversionSummary {
        let marker = try ConversionMarker.read(root, directory)
        guard let marker else {
            let evidence = try options.from == nil ? MetadataEvidence(directory, metadata: options.metadata) : nil
            let from = options.from ?? evidence?.kind ?? .plain
            let metadata = options.metadata ?? evidence?.file
            guard from != options.to else {
                throw ImageError(.badDestination, "\(ShellWord(directory)) has \(from.label) already")
            }
            // In place what can't be converted is found before anything is changed.
            if options.isDryRun || options.isStrict || options.output == nil {
                let summary = try survey(root, from, metadata).summary
                if options.isStrict, !summary.losses.isEmpty {
                    throw ImageError(
                        .refusedEntry,
                        summary.losses.sentences(for: options.to).joined(separator: "; "),
                        hint: "Nothing was changed. Without --strict these are left out."
                    )
                }
                if options.isDryRun {
                    if let output = options.output { try Staging.checkTree(for: output) }
                    if let file = summary.metadataFile { try Self.checkIsNew(file) }
                    return summary
                }
            }
            if let output = options.output { return try copy(from, metadata, to: output) }
            let pass = ConversionInPlace(self, root, ConversionMarker(phase: .describe, from: from, to: options.to))
            return try pass.run(metadata: metadata, prefix: nil, isContinued: false)
        }
        guard options.output == nil, marker.to == options.to, !options.isDryRun else { throw marker.failure(directory) }
        if marker.phase == .describe { try checkBeginning(root, marker) }
        let pass = ConversionInPlace(self, root, marker)
        return try pass.run(metadata: options.metadata, prefix: nil, isContinued: true)
    }

    /// A conversion that is told to begin again must have something to begin with: a mark that somebody else has set would
    /// make root's files of another tool's.
    private func checkBeginning(_ root: CInt, _ marker: ConversionMarker) throws(ImageError) {
        let tree = try ImageError.openTree("can't open \(ShellWord(directory))") { (warn) throws(Errno) in
            try FakeRootTree(owning: System.open(at: root, ".", [.path, .directory]), mayRaiseModes: false, warn: warn)
        }
        guard marker.from == .overrideStat || !tree.hasManifest else {
            throw marker.misfit(directory, "it is a tree that was imported, and has labels of ours")
        }
        let known = try survey(root, marker.from, options.metadata).known
        guard known > 0 || marker.from == .plain else {
            throw marker.misfit(directory, "none of its files has anything of the former")
        }
    }

    /// Says what a conversion would do, and of how many files the old metadata say anything.
    private func survey(
        _ root: CInt,
        _ from: MetadataKind,
        _ metadata: String?
    ) throws(ImageError) -> (summary: ConversionSummary, known: Int) {
        var summary = ConversionSummary(from: from, to: options.to)
        var known = 0
        let reader = try ForeignDirectorySource.reader(directory, root, from, metadata: metadata)
        let writer = try makeWriter(root, prefix: nil, file: newMetadataFile(options.output ?? directory))
        let copy = try ImageError.attempt("can't open \(ShellWord(directory))") { () throws(Errno) in
            try System.open(at: root, ".", [.readOnly, .directory])
        }
        let walk = ForeignWalk(copy, reader)
        let trust = try MetadataTrust(root: root)
        while let file = try walk.next() {
            if ConversionInPlace.isTemporary(file) { continue }
            try step("looking", &summary.files)
            if options.output == nil, let host = file.host(root) { try refuseStrangers(host, from, trust) }
            if let reason = file.entry.reasonToRefuse { throw .refused(file.description, reason) }
            if try file.isKnown(to: reader, root) { known += 1 }
            summary.losses += writer.losses(of: file)
            if let notice = file.notice { summary.note("\(file.description): \(notice)") }
            if try writer.replacement(of: file) != .keep { summary.replaced += 1 }
        }
        for notice in try reader.finish() { summary.note(notice) }
        if let notice = walk.notice { summary.note(notice) }
        summary.metadataFile = writer.file
        return (summary, known)
    }

    /// In place, other users' files would end a conversion half way: nobody but root may change them, and no label counts
    /// on them.
    private func refuseStrangers(_ file: HostFile, _ from: MetadataKind, _ trust: MetadataTrust) throws(ImageError) {
        let user = System.effectiveUser
        let isApart = (from == .plain || from.needsMetadataFile) && options.to.needsMetadataFile
        let isChanged = !isApart && (file.kind == .file || file.kind == .directory)
        let reason: String
        if options.to == .overrideStat, !trust.covers(file) {
            reason = "whose files can't have a label that counts"
        } else if isChanged, user != 0, file.status.uid != user {
            reason = "whose files you can't change"
        } else {
            return
        }
        throw .refused(
            file.description,
            "it belongs to another user of this machine (uid \(file.status.uid)), \(reason)",
            hint: "Nothing was changed. Remove it, or make a copy, in which all files are yours:\n"
                + "    p9serve convert \(ShellWord(directory)) --to \(options.to.rawValue) --output NEW"
        )
    }

    func step(_ pass: String, _ count: inout Int) throws(ImageError) {
        guard !cancellation.isRequested else {
            throw ImageError(
                .cancelled,
                "the conversion was cancelled",
                hint: options.output == nil && !options.isDryRun ? "Finish it by the same command." : nil
            )
        }
        count += 1
        observer(pass, count)
    }

    /// Where the new metadata file goes; nil for the kinds that have none.
    func newMetadataFile(_ directory: String) -> String? {
        guard options.to.needsMetadataFile else { return nil }
        if let chosen = options.newMetadata { return chosen }
        var path = directory
        while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
        return options.to == .pseudo ? "\(path).pseudo_state/files.db" : "\(path).devtable"
    }

    /// Refuses a new metadata file that exists.
    static func checkIsNew(_ file: String) throws(ImageError) {
        guard exists(file) else { return }
        throw ImageError(
            .badDestination,
            "\(file) is there already",
            hint: "Move it away, or name another with --new-metadata FILE.",
            cause: .EEXIST
        )
    }

    func makeWriter(_ root: CInt, prefix: [UInt8]?, file: String?) throws(ImageError) -> any MetadataWriter {
        switch options.to {
        case .rsync: return AttributeWriter(.rsync)
        case .virtfs: return AttributeWriter(.virtfs)
        case .pseudo:
            let path = try ImageError.attempt("can't find the path of \(ShellWord(directory))") {
                () throws(Errno) -> [UInt8] in
                if let prefix { return prefix }
                return try System.currentPath(of: root)
            }
            return PseudoWriter(file ?? "files.db", root: root, prefix: path)
        case .deviceTable: return DeviceTableWriter(file ?? "device_table.txt")
        default:
            let tree = try ImageError.openTree("can't open \(ShellWord(directory))") { (warn) throws(Errno) in
                try FakeRootTree(owning: System.open(at: root, ".", [.path, .directory]), warn: warn)
            }
            return OverrideStatWriter(tree)
        }
    }

    // MARK: A copy

    /// Imports into our own representation, which the copy is then converted from, before it gets its name.
    private func copy(
        _ from: MetadataKind,
        _ metadata: String?,
        to output: String
    ) throws(ImageError) -> ConversionSummary {
        let source = try ForeignDirectorySource(directory, from, metadata: metadata)
        let file = newMetadataFile(output)
        let hadFile = file.map(Self.exists) ?? false
        let staging = try Staging.tree(for: output)
        do throws(ImageError) {
            var summary = try fill(staging.descriptor, source, from)
            if options.to != .overrideStat {
                let marker = ConversionMarker(phase: .describe, from: .overrideStat, to: options.to)
                let pass = ConversionInPlace(self, staging.descriptor, marker, path: output)
                let converted = try pass.run(
                    metadata: nil,
                    prefix: Self.finalPath(staging.descriptor, output),
                    isContinued: false
                )
                summary.losses += converted.losses
                summary.replaced = converted.replaced
                summary.metadataFile = converted.metadataFile
            }
            try ImageError.attempt("can't write \(ShellWord(output)) to the disk") { () throws(Errno) in
                try System.synchronizeFileSystem(staging.descriptor)
            }
            try staging.publishTree(isSynchronized: true)
            // Our own database, if there is one, gets its name from the directory.
            if options.to == .overrideStat { _ = try? FakeRootTree(directory: output) }
            return summary
        } catch {
            if let file, !hadFile { removeMetadata(file) }
            throw error
        }
    }

    private static func exists(_ path: String) -> Bool { (try? System.open(path, [.path, .noFollow])) != nil }

    /// Removes what a copy that came to nothing has left beside it, and the directory made for it if that is empty.
    private func removeMetadata(_ file: String) {
        func remove(_ path: String, isDirectory: Bool) {
            try? System.unlink(at: System.atCurrentDirectory, path, isDirectory: isDirectory)
        }
        for suffix in ["", "-journal", "-wal", "-shm", ".converting"] { remove(file + suffix, isDirectory: false) }
        guard options.to == .pseudo, options.newMetadata == nil, let slash = file.lastIndex(of: "/") else { return }
        remove(String(file[..<slash]), isDirectory: true)
    }

    private func fill(
        _ root: CInt,
        _ source: ForeignDirectorySource,
        _ from: MetadataKind
    ) throws(ImageError) -> ConversionSummary {
        var summary = ConversionSummary(from: from, to: options.to)
        let extraction = try ImageError.attempt("can't open the new directory") { () throws(Errno) in
            try TreeExtraction(FakeRootTree(owning: System.open(at: root, ".", [.path, .directory])))
        }
        while let entry = try source.next() {
            try step("copying", &summary.files)
            try extraction.extract(entry, from: source) { _ in }
        }
        try source.finish()
        let imported = try extraction.finish()
        summary.losses.attributes = imported.losses.attributes
        for notice in imported.notices + source.closingNotices { summary.note(notice) }
        return summary
    }

    /// Where the copy will be: beside where it is being made.
    private static func finalPath(_ staging: CInt, _ output: String) throws(ImageError) -> [UInt8] {
        let path = try ImageError.attempt("can't find the path of \(ShellWord(output))") { () throws(Errno) in
            try System.currentPath(of: staging)
        }
        let name = output.split(separator: "/").last.map { Array($0.utf8) } ?? []
        return Array(path[...(path.lastIndex(of: UInt8(ascii: "/")) ?? 0)]) + name
    }
}
