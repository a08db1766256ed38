internal import FakeRoot
package import ImageEntries
package import LinuxFiles

/// The files of an ext2, ext3 or ext4 image, read without a mount: by an ordinary user, in this process.
///
/// Directories come before what is in them, otherwise in the order of the image. Memory grows only by a few bytes for each
/// directory and the paths of files that have several names. An empty `lost+found` is left out: it is a part of the image, not
/// one of the files.
///
/// Belongs to one thread.
package final class Ext4Source: EntrySource {
    private struct Level {
        var directory: Ext4Directory
        /// With a "/" at the end, but for the root's.
        var prefix: [UInt8]
    }

    private struct Links {
        /// The first name.
        var path: [UInt8]
        /// How many names are still to come.
        var remaining: UInt32
    }

    private let volume: Ext4Volume
    private var levels: [Level] = []
    private var hasBegun = false
    private var directoriesSeen: Set<UInt32> = []
    private var links: [UInt32: Links] = [:]
    /// The entry given last, if it is a file with content.
    private var file: Ext4Inode?
    private var inlineData: [UInt8] = []
    package private(set) var notice: String?

    private static let recovered = Array("lost+found".utf8)
    /// More than any program can make, and far more than anybody has.
    private static let maxPathLength = 32 << 10
    private static let pieceSize = 256 << 10

    /// - Parameters:
    ///   - image: open for reading; not a pipe.
    ///   - place: where in the image the file system is; see `DiskImage`.
    ///   - name: what the user calls the image, for messages.
    /// - Throws: `badArchive` unless it is an ext2, ext3 or ext4 file system without errors, whose journal was written back.
    init(_ image: consuming OwnedDescriptor, _ place: ImagePlace, name: String) throws(ImageError) {
        volume = try Ext4Volume(image, place, name: name)
    }

    package func next() throws(ImageError) -> ImageEntry? {
        file = nil
        notice = nil
        guard hasBegun else {
            hasBegun = true
            if volume.superblock.isUnclean { notice = "the file system was in use when the image was made" }
            return try enter(Ext4Inode.root, path: [], parent: Ext4Inode.root)
        }
        while let level = levels.last {
            guard let found = try level.directory.next() else {
                levels.removeLast()
                continue
            }
            if let entry = try entry(found, in: level) { return entry }
        }
        return nil
    }

    /// - Returns: nil for what is left out.
    private func entry(_ found: Ext4Directory.Entry, in level: Level) throws(ImageError) -> ImageEntry? {
        let path = level.prefix + found.name
        guard path.count <= Self.maxPathLength else {
            throw .refused(printable(path.prefix(80)) + "...", "its path has more than \(Self.maxPathLength) bytes")
        }
        guard found.inode >= volume.superblock.firstInode else {
            throw volume.damaged("\(printable(path)) has inode \(found.inode), which is none of a file's")
        }
        let inode = try volume.inode(found.inode)
        guard inode.linkCount > 0 else { throw volume.damaged("\(printable(path)) has an inode that is free") }
        guard inode.format != .directory else {
            return try directory(inode, path, parent: level.directory.inode.number)
        }
        if inode.linkCount > 1 {
            if let first = links[inode.number] {
                let rest = Links(path: first.path, remaining: first.remaining - 1)
                links[inode.number] = rest.remaining > 0 ? rest : nil
                return ImageEntry(path: path, body: .hardLink(first.path), permissions: inode.permissions)
            }
            links[inode.number] = Links(path: path, remaining: inode.linkCount - 1)
        }
        inlineData = []
        let attributes = try volume.attributes(of: inode, inlineData: &inlineData)
        return try entry(inode, path, attributes)
    }

    private func directory(_ inode: Ext4Inode, _ path: [UInt8], parent: UInt32) throws(ImageError) -> ImageEntry? {
        let entry = try enter(inode, path: path, parent: parent)
        guard path == Self.recovered, let level = levels.last else { return entry }
        guard try level.directory.isEmpty() else {
            notice = "it holds files that e2fsck found without a name"
            return entry
        }
        levels.removeLast()
        return nil
    }

    private func enter(_ number: UInt32, path: [UInt8], parent: UInt32) throws(ImageError) -> ImageEntry {
        let inode = try volume.inode(number)
        guard inode.format == .directory, inode.linkCount > 0 else { throw volume.damaged("it has no root directory") }
        return try enter(inode, path: path, parent: parent)
    }

    private func enter(_ inode: Ext4Inode, path: [UInt8], parent: UInt32) throws(ImageError) -> ImageEntry {
        guard directoriesSeen.insert(inode.number).inserted else {
            throw volume.damaged("the directory \(printable(path)) is in the tree twice")
        }
        guard !inode.has(Ext4Inode.Flags.casefold) else {
            throw .refused(
                Self.shown(path),
                "names in this directory are not case-sensitive (casefold), which no other file system keeps"
            )
        }
        var inlineData: [UInt8] = []
        let attributes = try volume.attributes(of: inode, inlineData: &inlineData)
        let entry = try entry(inode, path, attributes)
        let directory = try Ext4Directory(volume, inode, inlineData: inlineData, parent: parent)
        let prefix = path.isEmpty ? [] : path + [UInt8(ascii: "/")]
        levels.append(Level(directory: directory, prefix: prefix))
        return entry
    }

    private func entry(
        _ inode: Ext4Inode,
        _ path: [UInt8],
        _ attributes: [ImageEntry.Attribute]
    ) throws(ImageError) -> ImageEntry {
        guard !inode.has(Ext4Inode.Flags.encrypted) else {
            throw .refused(Self.shown(path), "it is encrypted (fscrypt); only a mount with its key can read it")
        }
        guard let kind = inode.kind else { throw volume.damaged("\(Self.shown(path)) is of no type that Linux has") }
        let body: ImageEntry.Body
        switch kind {
        case .file:
            body = .file
            file = inode
        case .directory: body = .directory
        case .symlink: body = .symlink(try symlinkTarget(inode, path))
        case .pipe, .socket, .block, .character: body = .special(kind)
        }
        return ImageEntry(
            path: path.isEmpty ? Array("./".utf8) : path,
            body: body,
            owner: inode.owner,
            permissions: inode.permissions,
            size: kind == .file ? inode.size : 0,
            modificationTime: inode.modificationTime,
            attributes: attributes
        )
    }

    private static func shown(_ path: [UInt8]) -> String { path.isEmpty ? "./" : printable(path) }

    private func symlinkTarget(_ inode: Ext4Inode, _ path: [UInt8]) throws(ImageError) -> [UInt8] {
        let target: [UInt8]
        if inode.isShortSymlink {
            target = Array(inode.bytes[Ext4Inode.blockMap].prefix(Int(inode.size)))
        } else if inode.has(Ext4Inode.Flags.inlineData) {
            target = try inlineContent(inode)
        } else {
            target = try volume.content(of: inode, limit: 4096)
        }
        guard !target.isEmpty, target.count < 4096, !target.contains(0) else {
            throw volume.damaged("the symbolic link \(printable(path)) has a target that can't be")
        }
        return target
    }

    private func inlineContent(_ inode: Ext4Inode) throws(ImageError) -> [UInt8] {
        let content = Array(inode.bytes[Ext4Inode.blockMap]) + inlineData
        guard inode.size <= UInt64(content.count) else {
            throw volume.damaged("inode \(inode.number) has more bytes than are there")
        }
        return Array(content.prefix(Int(inode.size)))
    }

    package func forEachBlock(_ body: (UnsafeRawBufferPointer, Int64) throws(ImageError) -> Void) throws(ImageError) {
        guard let file else { return }
        self.file = nil
        guard !file.has(Ext4Inode.Flags.inlineData) else {
            let content = try inlineContent(file)
            try content.span.withUnsafeBytes { (bytes) throws(ImageError) in
                if !bytes.isEmpty { try body(bytes, 0) }
            }
            return
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceSize, alignment: 4096)
        defer { buffer.deallocate() }
        let blockSize = UInt64(volume.blockSize)
        try volume.forEachRun(of: file) { (run) throws(ImageError) in
            let start = run.logical * blockSize
            let size = min(run.count * blockSize, file.size - start)
            var done: UInt64 = 0
            while done < size {
                let count = Int(min(UInt64(buffer.count), size - done))
                let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
                try volume.readContent(run.physical, skipping: done, into: piece)
                try body(UnsafeRawBufferPointer(piece), Int64(start + done))
                done += UInt64(count)
            }
        }
    }

    package func finish() throws(ImageError) {}

    /// Only content and directories are counted.
    package var bytesRead: UInt64 { min(volume.bytesRead, bytesTotal ?? .max) }

    package var bytesTotal: UInt64? {
        (volume.superblock.blockCount - volume.superblock.freeBlockCount) * UInt64(volume.blockSize)
    }
}

extension Ext4Source {
    /// Opens the file system in an image, which may be a disk with partitions.
    /// - Parameters:
    ///   - image: open for reading; not a pipe.
    ///   - name: what the user calls the image, for messages.
    ///   - partition: see `DiskImage.locate`.
    /// - Throws: `badArchive` if there is no such file system, with the partitions that could be meant; `system` if
    ///   the image can't be read.
    package convenience init(
        image: consuming OwnedDescriptor,
        name: String,
        partition: Int? = nil
    ) throws(ImageError) {
        let place = try DiskImage.locate(image.raw, partition: partition)
        try self.init(image, place, name: name)
    }
}
