internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// The users whose files' metadata are believed, as `FakeRootTree` believes labels: the process's user and the owner of the
/// tree's root. Other users of the host can put files into a tree too, into its /tmp for instance.
///
/// Counts what is not believed. Belongs to one thread.
final class MetadataTrust {
    private let trust: FileTrust
    private var doubted = (count: 0, first: "")

    /// - Parameter root: of the tree.
    init(root: CInt) throws(ImageError) {
        trust = try ImageError.attempt("can't look at the directory") { () throws(Errno) in try FileTrust(root: root) }
    }

    func covers(_ file: HostFile) -> Bool { trust.covers(file.descriptor, file.status) }

    func covers(_ descriptor: CInt, _ status: FileStatus) -> Bool { trust.covers(descriptor, status) }

    /// Counts a file whose metadata are not believed.
    func note(_ file: HostFile) {
        if doubted.count == 0 { doubted.first = file.description }
        doubted.count += 1
    }

    /// What was not believed, as a sentence; nil if everything was.
    var notice: String? {
        guard doubted.count > 0 else { return nil }
        let files = doubted.count == 1 ? "1 file has" : "\(doubted.count) files have"
        return "\(files) metadata that are not believed, as other users of this machine can have written them: "
            + doubted.first
    }
}

/// A tool's metadata, as far as they are believed: `MetadataTrust`.
final class CautiousReader: MetadataReader {
    private let reader: any MetadataReader
    private let trust: MetadataTrust
    /// Whether the metadata are attributes, which everybody who may write to a file may set.
    private let areAttributes: Bool
    /// Whether what the metadata say of a file was said to the tool by who made the file.
    private let knowsMaker: Bool

    init(_ reader: any MetadataReader, _ kind: MetadataKind, _ trust: MetadataTrust) {
        self.reader = reader
        self.trust = trust
        areAttributes = !kind.needsMetadataFile && kind != .virtfsFile
        // fakeroot knows the very inode; and root's fakeroot gives files to their owners on the host too.
        knowsMaker = kind == .fakeroot
    }

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        guard trust.covers(file) else { return try metadata(ofStrangers: file) }
        guard var metadata = try reader.metadata(of: file) else { return nil }
        let othersWrite: UInt32 = 0o002
        if areAttributes, file.kind == .file, file.status.mode & othersWrite != 0, try reader.knows(file) {
            let isSpecial = metadata.kind.isSpecial && !metadata.kind.isForEverybody
            if isSpecial { metadata.kind = .file }
            if metadata.takePrivileges() || isSpecial { trust.note(file) }
        }
        return metadata
    }

    /// The metadata of another user's file: the host's facts, without privileges.
    private func metadata(ofStrangers file: HostFile) throws(ImageError) -> FileMetadata? {
        guard try reader.knows(file) else {
            var metadata = try reader.metadata(of: file)
            // The user has set these bits for an own file; they must not count for the owner that a tool's rule gives it.
            if let owner = metadata?.owner, owner != FileMetadata(of: file).owner { _ = metadata?.takePrivileges() }
            return metadata
        }
        if knowsMaker { return try reader.metadata(of: file) }
        trust.note(file)
        var metadata = FileMetadata(of: file)
        metadata.attributes = try HostAttributes(of: file).own
        _ = metadata.takePrivileges()
        return metadata
    }

    func knows(_ file: HostFile) throws(ImageError) -> Bool {
        guard trust.covers(file) else { return false }
        return try reader.knows(file)
    }

    func additions(to directory: [UInt8], existing: Set<[UInt8]>) throws(ImageError) -> [[UInt8]: FileMetadata] {
        try reader.additions(to: directory, existing: existing)
    }

    func finish() throws(ImageError) -> [String] { try reader.finish() + (trust.notice.map { [$0] } ?? []) }
}

extension FileMetadata {
    /// Takes setuid, setgid and what only root may set away.
    /// - Returns: whether there was anything of that.
    fileprivate mutating func takePrivileges() -> Bool {
        let setIDs: UInt32 = kind == .directory ? 0 : 0o6000
        let hadSetIDs = permissions & setIDs != 0
        permissions &= ~setIDs
        let count = attributes.count
        attributes.removeAll { !$0.name.starts(with: "user.".utf8) }
        return hadSetIDs || attributes.count < count
    }
}
