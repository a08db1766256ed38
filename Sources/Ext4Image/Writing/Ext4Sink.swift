internal import FakeRoot
package import ImageEntries
internal import LinuxFiles

/// Makes an ext4 image of a tree, as an ordinary user: no mount, no device, no helper program.
///
/// With the features that Debian's `mke2fs -t ext4` gives; no blocks are reserved for root. The same tree gives the same
/// bytes: UUID and hash seed come from the tree, times of making from the settings, inodes in the order of the entries.
/// Blocks of zeros become holes in files that have holes on the host, and are kept in all others.
package final class Ext4Sink: EntrySink {
    package struct Settings {
        /// Bytes of the image; nil for what the tree needs, and `spare` of 100 parts more.
        package var size: UInt64?
        /// At most 16 bytes.
        package var label = ""
        /// 16 bytes; nil for one that is made from the tree's names, owners, modes, sizes, times and attributes.
        package var uuid: [UInt8]?
        /// Seconds since 1970: the time of making, also the change and access time of all files.
        package var time: Int64 = 0
        var hasJournal = true
        /// How many of 100 blocks are free in an image without a given size.
        var spare: UInt64 = 15

        package init(size: UInt64? = nil, label: String = "", uuid: [UInt8]? = nil, time: Int64 = 0) {
            self.size = size
            self.label = label
            self.uuid = uuid
            self.time = time
        }
    }

    private let writer: Ext4Writer
    private var directories: [Ext4DirectoryWriter] = []
    /// For hard links, by a file's first name: only of files that have more.
    private var files: [[UInt8]: (inode: UInt32, type: UInt8)] = [:]
    private let moreNames: [[UInt8]: UInt32]
    private var hasLostAndFound = false
    private let expected: [UInt8]
    private var fingerprint = Fingerprint()

    private static let lostAndFound = Array("lost+found".utf8)
    private static let maxLinks: UInt32 = 65_000
    private static let maxLabel = 16

    /// Lays out a file system for what was measured.
    /// - Parameters:
    ///   - image: open for reading and writing; a regular file, whose content is lost.
    ///   - measured: a walk over the same tree, to its end.
    /// - Throws: `badDestination` for a label over 16 bytes; `noSpace` if the size given is too small, with the one that is
    ///   needed.
    package init(_ image: CInt, _ measured: Ext4Measurement, _ settings: Settings = Settings()) throws(ImageError) {
        guard settings.label.utf8.count <= Self.maxLabel else {
            let message = "the label \(printable(Array(settings.label.utf8))) has more than 16 bytes"
            throw ImageError(.badDestination, message, hint: "Choose a shorter one: ext4 has no room for it.")
        }
        let making = Ext4Writer.Settings(
            uuid: settings.uuid ?? measured.fingerprint.uuid,
            label: Array(settings.label.utf8),
            time: UInt32(clamping: settings.time),
            hasAttributeInodes: measured.needsAttributeInodes
        )
        moreNames = measured.moreNames
        expected = measured.fingerprint.uuid
        writer = try Self.make(image, measured, settings, making)
    }

    private static func make(
        _ image: CInt,
        _ measured: Ext4Measurement,
        _ settings: Settings,
        _ making: Ext4Writer.Settings
    ) throws(ImageError) -> Ext4Writer {
        let blockSize = UInt64(Ext4Layout.blockSize)
        let smallest = Ext4Layout(for: measured, hasJournal: settings.hasJournal, spare: 1)
        if let size = settings.size {
            // Below 1 MiB not even an empty one makes sense.
            let blocks = size / blockSize
            guard size >= 1 << 20, size < 1 << 44 else { throw tooSmall(size, smallest) }
            let layout = Ext4Layout(blocks: blocks, neededInodes: measured.inodes, hasJournal: settings.hasJournal)
            if let writer = try attempt(image, size, layout, making, measured) { return writer }
            throw tooSmall(size, smallest)
        }
        var layout = Ext4Layout(for: measured, hasJournal: settings.hasJournal, spare: min(settings.spare, 90))
        for _ in 0..<16 {
            let writer = try attempt(image, layout.blocks * blockSize, layout, making, measured)
            if let writer { return writer }
            // Only if the estimate of what the file system needs for itself was too low.
            let more = (layout.blocks + layout.blocks / 16 + 511) / 256 * 256
            layout = Ext4Layout(blocks: more, neededInodes: measured.inodes, hasJournal: settings.hasJournal)
        }
        throw Ext4Writer.full
    }

    /// - Returns: nil if the tree does not fit.
    private static func attempt(
        _ image: CInt,
        _ size: UInt64,
        _ layout: Ext4Layout,
        _ making: Ext4Writer.Settings,
        _ measured: Ext4Measurement
    ) throws(ImageError) -> Ext4Writer? {
        do throws(ImageError) {
            let writer = try Ext4Writer(image, size: size, layout, making)
            return writer.freeBlocks >= measured.blocks + 4 && writer.freeInodes >= measured.inodes ? writer : nil
        } catch {
            if error.code == .noSpace, error.cause == nil { return nil }
            throw error
        }
    }

    private static func tooSmall(_ size: UInt64, _ smallest: Ext4Layout) -> ImageError {
        let needed = (smallest.blocks * UInt64(Ext4Layout.blockSize) + (1 << 20) - 1) >> 20
        guard size < 1 << 44 else {
            let message = "an image of \(size) bytes is more than can be made"
            return ImageError(.badDestination, message, hint: "16 TiB are the limit.")
        }
        return ImageError(
            .noSpace,
            "an image of \(size) bytes is too small for the tree",
            hint: "It needs \(needed) MiB at least: --size \(needed)M. Without a size it gets some room to spare."
        )
    }

    // MARK: Entries

    package func add(_ entry: ImageEntry, content: FileReader?) throws(ImageError) {
        fingerprint.add(entry)
        guard let slash = entry.path.lastIndex(of: UInt8(ascii: "/")) else {
            return try add(entry, named: entry.path, parent: [], content)
        }
        try add(entry, named: Array(entry.path[(slash + 1)...]), parent: Array(entry.path[..<slash]), content)
    }

    private func add(
        _ entry: ImageEntry,
        named name: [UInt8],
        parent: [UInt8],
        _ content: FileReader?
    ) throws(ImageError) {
        guard !name.isEmpty else { return try addRoot(entry) }
        while let last = directories.last, last.path != parent { try leave(last) }
        guard let directory = directories.last else {
            throw .treeChanged(entry.path)
        }
        switch entry.body {
        case .hardLink(let first):
            guard let file = files[first] else {
                throw .treeChanged(entry.path)
            }
            try directory.add(name, file.inode, type: file.type)
        case .directory: try addDirectory(entry, name, in: directory)
        case .file, .symlink, .special: try addFile(entry, name, in: directory, content)
        }
    }

    private func leave(_ directory: Ext4DirectoryWriter) throws(ImageError) {
        try directory.finish(minimum: directory.number == Ext4Writer.lostAndFound ? 4 : 1)
        directories.removeLast()
    }

    private func addRoot(_ entry: ImageEntry) throws(ImageError) {
        let inode = Ext4InodeFields(entry, time: writer.time)
        let file = try Ext4FileWriter(writer, Ext4Inode.root, inode.bytes)
        let root = try Ext4DirectoryWriter(
            writer,
            file,
            path: [],
            parent: Ext4Inode.root,
            attributes: entry.attributes
        )
        try root.add(Self.lostAndFound, Ext4Writer.lostAndFound, type: Ext4InodeFields.directoryType)
        directories = [root]
    }

    private func addDirectory(
        _ entry: ImageEntry,
        _ name: [UInt8],
        in parent: Ext4DirectoryWriter
    ) throws(ImageError) {
        let isLostAndFound = entry.path == Self.lostAndFound
        let number = isLostAndFound ? Ext4Writer.lostAndFound : try writer.takeInode(isDirectory: true)
        if isLostAndFound {
            hasLostAndFound = true
        } else {
            try parent.add(name, number, type: Ext4InodeFields.directoryType)
        }
        let file = try Ext4FileWriter(writer, number, Ext4InodeFields(entry, time: writer.time).bytes)
        let directory = try Ext4DirectoryWriter(
            writer,
            file,
            path: entry.path,
            parent: parent.number,
            attributes: entry.attributes
        )
        directories.append(directory)
    }

    private func addFile(
        _ entry: ImageEntry,
        _ name: [UInt8],
        in directory: Ext4DirectoryWriter,
        _ content: FileReader?
    ) throws(ImageError) {
        guard entry.path != Self.lostAndFound else {
            throw .refused("lost+found", "in an ext4 image this must be a directory")
        }
        let links = 1 + (moreNames[entry.path] ?? 0)
        guard links <= Self.maxLinks else {
            throw .refused(printable(entry.path), "it has \(links) names, and ext4 files can have 65000")
        }
        let number = try writer.takeInode(isDirectory: false)
        let inode = Ext4InodeFields(entry, time: writer.time, linkCount: UInt16(links))
        try directory.add(name, number, type: inode.type)
        if links > 1 { files[entry.path] = (number, inode.type) }
        let file = try Ext4FileWriter(writer, number, inode.bytes)
        do throws(ImageError) {
            if let content {
                let keepsHoles = try content.hasHoles
                try content.forEachBlock { (piece, offset) throws(ImageError) in
                    try file.write(piece, at: offset, keepsHoles: keepsHoles)
                }
                try file.finish(size: content.size)
            } else if case .symlink(let target) = entry.body, target.count >= Ext4Layout.shortSymlinkLimit {
                try target.span.withUnsafeBytes { (bytes) throws(ImageError) in
                    try file.write(bytes, at: 0, keepsHoles: false)
                }
                try file.finish(size: UInt64(target.count))
            }
            try writer.setAttributes(entry.attributes, of: number)
        } catch {
            // The file has nothing to do with that.
            guard error.code != .cancelled else { throw error }
            throw ImageError(
                error.code,
                "\(printable(entry.path)): \(error.message)",
                hint: error.hint,
                cause: error.cause
            )
        }
    }

    /// Completes the directories that are still open, and writes the file system's own tables.
    /// - Throws: `treeChanged` if the tree is not the one that was measured: numbers of names would be wrong.
    package func finish() throws(ImageError) {
        guard fingerprint.uuid == expected else { throw .treeChanged([]) }
        while directories.count > 1, let last = directories.last { try leave(last) }
        if !hasLostAndFound, let root = directories.last {
            let entry = ImageEntry(path: Self.lostAndFound, body: .directory, permissions: 0o700)
            try addDirectory(entry, Self.lostAndFound, in: root)
        }
        while let last = directories.last { try leave(last) }
        try writer.close()
    }
}
