internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Gives all files of a tree to a sink, as the board sees them, in an order that depends on their names only.
///
/// Two passes: the first counts, so that progress has a total and every file knows how many names it has in the tree (a
/// name outside the tree doesn't count). The tree is only read; what is written to while it is read is an error.
final class TreeWalk {
    /// What a file is known by as long as it isn't removed.
    private struct Identity: Hashable {
        let device: UInt64
        let inode: UInt64

        init(_ host: FileStatus) {
            device = host.device
            inode = host.inode
        }
    }

    private let tree: FakeRootTree
    private let exclusions: Exclusions
    /// No modification time is later than this, in seconds since 1970.
    private let latestTime: Int64?
    private let cancellation: Cancellation
    /// Names in the tree, of files that have several.
    private var linkCounts: [Identity: UInt32] = [:]
    /// The first name, of files that have several, with what its other names repeat, and how many follow.
    private var firstNames: [Identity: (entry: ImageEntry, rest: UInt32)] = [:]
    private(set) var progress = ExportProgress()
    /// Files that were given the owners and modes of their import.
    private(set) var restoredLabels = 0
    /// Paths of those that go without the privileges of their import, at most `maxPaths`; printable.
    private(set) var lostPrivileges: [String] = []
    /// Databases of trees that lie in the tree and are left out; known after `survey`.
    private(set) var databases = (count: 0, first: "")

    private static let maxPaths = 10

    /// - Parameter latestTime: SOURCE_DATE_EPOCH; nil to give all times as they are.
    init(
        _ tree: FakeRootTree,
        excluding exclusions: Exclusions = Exclusions([]),
        latestTime: Int64? = nil,
        cancellation: Cancellation
    ) {
        self.tree = tree
        self.exclusions = exclusions
        self.latestTime = latestTime
        self.cancellation = cancellation
    }

    /// Counts the tree's files and their bytes.
    func survey() throws(ImageError) {
        let cursor = TreeCursor(tree, excluding: exclusions)
        while let item = try cursor.next() {
            try checkCancellation()
            try checkLimits(item)
            progress.entriesTotal += 1
            guard item.host.format != .directory else { continue }
            if item.host.linkCount > 1 {
                let count = linkCounts[Identity(item.host), default: 0] + 1
                linkCounts[Identity(item.host)] = count
                if count > 1 { continue }
            }
            if item.host.format == .regular { progress.contentTotal += min(item.host.size, item.host.blocks * 512) }
        }
        linkCounts = linkCounts.filter { $0.value > 1 }
        databases = cursor.databases
    }

    /// No export that an import would refuse. Told before anything is made of the tree.
    private func checkLimits(_ item: borrowing TreeCursor.Item) throws(ImageError) {
        guard let refusal = EntryPath.refusal(depth: item.depth, length: item.pathLength) else { return }
        throw .refused(
            item.shortened,
            refusal.rawValue,
            hint: "No export can hold it, as no import would take it. Move it up, or leave it out with --exclude."
        )
    }

    /// - Parameter observer: called for every file, and for about every 256 KiB of content.
    func run(into sink: any EntrySink, observer: @escaping (ExportProgress) -> Void = { _ in }) throws(ImageError) {
        let cursor = TreeCursor(tree, excluding: exclusions)
        while let item = try cursor.next() {
            try checkCancellation()
            if let first = takeFirstName(item.host) {
                try sink.add(hardLink(item.path, to: first), content: nil)
            } else {
                try give(item, to: sink, observer)
            }
            progress.entries += 1
            observer(progress)
        }
        // A name that was there at first and is gone would leave a wrong link count behind.
        let incomplete = firstNames.values.map(\.entry.path)
        if let gone = incomplete.min(by: { $0.lexicographicallyPrecedes($1) }) { throw .treeChanged(gone) }
    }

    private func checkCancellation() throws(ImageError) {
        if cancellation.isRequested { throw ImageError(.cancelled, "the export was cancelled") }
    }

    /// What a file was given as already, if it was.
    private func takeFirstName(_ host: FileStatus) -> ImageEntry? {
        guard host.linkCount > 1, host.format != .directory, let first = firstNames[Identity(host)] else { return nil }
        firstNames[Identity(host)] = first.rest > 1 ? (first.entry, first.rest - 1) : nil
        return first.entry
    }

    private func hardLink(_ path: [UInt8], to first: ImageEntry) -> ImageEntry {
        var entry = first
        entry.path = path
        entry.body = .hardLink(first.path)
        entry.size = 0
        entry.attributes = []
        return entry
    }

    private func give(
        _ item: borrowing TreeCursor.Item,
        to sink: any EntrySink,
        _ observer: @escaping (ExportProgress) -> Void
    ) throws(ImageError) {
        let name = item.displayed
        // Comes before the label is read: an unreadable file's label is unknown.
        let file = try openForReading(item)
        let host: FileStatus
        var entry: ImageEntry
        do throws(Errno) {
            let board = try tree.status(of: item.descriptor.raw)
            host = try System.status(of: item.descriptor.raw)
            entry = ImageEntry(
                path: item.path,
                body: try body(board.kind, item.descriptor.raw),
                owner: Owner(uid: board.uid, gid: board.gid),
                permissions: board.permissions,
                size: board.kind == .file ? host.size : 0,
                modificationTime: clamped(host.modificationTime),
                attributes: try attributes(of: item.descriptor.raw)
            )
            if let loss = try tree.labelLoss(of: item.descriptor.raw, at: item.key) { apply(loss, board, to: &entry) }
        } catch {
            throw .unreadable(name, error, item.host)
        }
        if let reason = entry.reasonToRefuse { throw .refused(name, reason) }
        if let count = linkCounts[Identity(host)], entry.body != .directory {
            entry.linkCount = count
            firstNames[Identity(host)] = (entry, count - 1)
        }
        var content: FileReader?
        if let file, entry.body == .file {
            content = FileReader(file.take(), size: host.size, name: name) { [self] (count) throws(ImageError) in
                try checkCancellation()
                progress.contentBytes += UInt64(count)
                observer(progress)
            }
        }
        try sink.add(entry, content: content)
        try checkUnchanged(item, host)
    }

    private static let capability = Array("security.capability".utf8)

    /// Gives an entry what its file has lost, as the server would; nothing is written into the tree.
    private func apply(_ loss: LabelLoss, _ board: BoardStatus, to entry: inout ImageEntry) {
        if loss.isOfLabel {
            let restored = loss.restored(board)
            entry.owner = Owner(uid: restored.uid, gid: restored.gid)
            entry.permissions = restored.permissions
            if restored.kind.isSpecial { entry.body = .special(restored.kind) }
            if let capability = loss.capability {
                entry.attributes.removeAll { $0.name == Self.capability }
                entry.attributes.append(ImageEntry.Attribute(name: Self.capability, value: capability))
                entry.attributes.sort { $0.name.lexicographicallyPrecedes($1.name) }
            }
            restoredLabels += 1
        }
        if loss.isOfPrivileges, lostPrivileges.count < Self.maxPaths {
            lostPrivileges.append(ImageError.displayed(entry.path))
        }
    }

    /// An open file that can be given away.
    private final class OpenFile {
        private var descriptor: OwnedDescriptor?

        init(_ descriptor: consuming OwnedDescriptor) {
            self.descriptor = .some(consume descriptor)
        }

        /// Nil once it was given away.
        var raw: CInt? {
            switch descriptor {
            case .none: nil
            case .some(let file): file.raw
            }
        }

        func take() -> OwnedDescriptor {
            guard let taken = descriptor.take() else { preconditionFailure("it is taken once") }
            return taken
        }
    }

    /// Nil unless it is a regular file on the host.
    private func openForReading(_ item: borrowing TreeCursor.Item) throws(ImageError) -> OpenFile? {
        guard item.host.format == .regular else { return nil }
        do throws(Errno) {
            let file = try DescriptorPath(item.descriptor.raw).withCString { (path) throws(Errno) in
                try System.open(at: System.atCurrentDirectory, path, [.readOnly, .nonBlocking, .noControllingTerminal])
            }
            return OpenFile(file)
        } catch {
            throw .unreadable(item.displayed, error, item.host)
        }
    }

    private func body(_ kind: NodeKind, _ descriptor: CInt) throws(Errno) -> ImageEntry.Body {
        switch kind {
        case .file: return .file
        case .directory: return .directory
        case .symlink: return .symlink(try System.linkTarget(of: descriptor))
        case .pipe, .socket, .block, .character: return .special(kind)
        }
    }

    /// In the order of their names' bytes.
    private func attributes(of descriptor: CInt) throws(Errno) -> [ImageEntry.Attribute] {
        let names = try tree.attributeNames(of: descriptor).split(separator: 0).map(Array.init)
            .filter { !HostAttributes.isToolName($0) }
        var attributes: [ImageEntry.Attribute] = []
        for name in names.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            attributes.append(
                ImageEntry.Attribute(name: name, value: try tree.attribute(name.span.bytes, of: descriptor))
            )
        }
        return attributes
    }

    private func clamped(_ time: FileTime) -> FileTime {
        guard let latestTime, time.seconds >= latestTime else { return time }
        return FileTime(seconds: latestTime, nanoseconds: 0)
    }

    private func checkUnchanged(_ item: borrowing TreeCursor.Item, _ host: FileStatus) throws(ImageError) {
        guard host.format != .directory else { return }  // the cursor's business, when it leaves
        do throws(Errno) {
            let now = try System.status(of: item.descriptor.raw)
            guard now.size == host.size, now.changeTime == host.changeTime else { throw .ESTALE }
        } catch {
            throw .treeChanged(item.displayed)
        }
    }
}
