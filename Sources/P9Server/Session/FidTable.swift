internal import LinuxFiles
internal import P9Wire
internal import Synchronization

/// What a fid is bound to.
struct FidEntry: Sendable {
    enum State: Sendable {
        /// Walked to, not opened.
        case walked
        case file(OpenFile)
        case directory(DirectoryStream)
        /// The value of an attribute, or the list of names, to be read.
        case attributeValue([UInt8])
        /// A value under way to the file, stored at Tclunk.
        case attributeUpload(AttributeUpload)
    }

    var node: Node
    var state: State
    /// The uid of the Tattach that the fid comes from: who new files belong to.
    var uid: UInt32

    /// The file, by its own opening if it is open: that one holds it whatever becomes of its name.
    /// - Throws: as `Node.descriptor()`.
    func descriptor() throws(Errno) -> SharedDescriptor {
        switch state {
        case .file(let file): file.descriptor
        case .directory(let stream): stream.descriptor
        case .walked, .attributeValue, .attributeUpload: try node.descriptor()
        }
    }
}

/// A regular file that is open for a fid.
final class OpenFile: Sendable {
    let descriptor: SharedDescriptor
    let flags: OpenFlags

    init(_ descriptor: SharedDescriptor, _ flags: OpenFlags) {
        self.descriptor = descriptor
        self.flags = flags
    }
}

/// The fids of one session.
final class FidTable: Sendable {
    private struct Contents {
        var entries: [Fid: FidEntry] = [:]
        var attributeBytes = 0
        /// Fids that stand on open files and directories.
        var open = 0
    }

    private let contents = Mutex(Contents())
    private let pool: DescriptorPool
    private let maximumFids: Int
    private let maximumAttributeBytes: Int
    private let parked = Atomic<Bool>(false)

    init(_ configuration: ServerConfiguration) {
        pool = configuration.descriptors
        maximumFids = configuration.maximumFids
        maximumAttributeBytes = configuration.maximumAttributeBytes
        pool.insert(self)
    }

    deinit {
        pool.remove(ObjectIdentifier(self))
        pool.close(contents.withLock { $0.open })
    }

    /// - Throws: `EBADF`.
    subscript(fid: Fid) -> FidEntry {
        get throws(Errno) {
            guard let entry = contents.withLock({ $0.entries[fid] }) else { throw .EBADF }
            return entry
        }
    }

    /// Runs `body` while nobody can clunk the fid. For a few instructions: all other requests wait.
    /// - Throws: `EBADF`, and what `body` throws.
    func whileBound<Result>(_ fid: Fid, _ body: (FidEntry) throws(Errno) -> Result) throws(Errno) -> Result {
        try contents.withLock { contents throws(Errno) in
            guard let entry = contents.entries[fid] else { throw .EBADF }
            return try body(entry)
        }
    }

    func contains(_ fid: Fid) -> Bool {
        contents.withLock { $0.entries[fid] != nil }
    }

    /// Binds a fid that must be free.
    /// - Throws: `EBADF` if it is in use, `ENFILE` if there are too many.
    func insert(_ entry: FidEntry, at fid: Fid) throws(Errno) {
        try contents.withLock { contents throws(Errno) in
            guard contents.entries[fid] == nil, fid != .none else { throw .EBADF }
            guard contents.entries.count < maximumFids else { throw .ENFILE }
            try account(for: entry, in: &contents)
            contents.entries[fid] = entry
        }
    }

    /// Changes what a fid is bound to, if it still is bound to what the caller saw.
    /// - Throws: `EBADF` if another request changed it meanwhile, `EMFILE` if the session has too many files open,
    ///   `ENOSPC` if it has too much of attributes under way.
    func replace(_ fid: Fid, _ old: FidEntry, with entry: FidEntry) throws(Errno) {
        try contents.withLock { contents throws(Errno) in
            guard let current = contents.entries[fid], current.node === old.node, case .walked = current.state else {
                throw .EBADF
            }
            try account(for: entry, in: &contents)
            contents.entries[fid] = entry
        }
    }

    func remove(_ fid: Fid) throws(Errno) -> FidEntry {
        try contents.withLock { contents throws(Errno) in
            guard let entry = contents.entries.removeValue(forKey: fid) else { throw .EBADF }
            contents.attributeBytes -= entry.attributeBytes
            if entry.isOpen {
                contents.open -= 1
                pool.close(1)
            }
            return entry
        }
    }

    /// To be asked before a file is made or truncated for a fid: `replace` has the last word.
    /// - Throws: `EMFILE` if the session has its share of open files.
    func checkOpenFiles() throws(Errno) {
        guard pool.mayOpen(having: contents.withLock { $0.open }) else { throw .EMFILE }
    }

    private func account(for entry: FidEntry, in contents: inout Contents) throws(Errno) {
        guard contents.attributeBytes + entry.attributeBytes <= maximumAttributeBytes else { throw .ENOSPC }
        if entry.isOpen {
            guard pool.open(having: contents.open) else { throw .EMFILE }
            contents.open += 1
        }
        contents.attributeBytes += entry.attributeBytes
    }

    /// Whether some node was parked, ever.
    var hasParked: Bool { parked.load(ordering: .relaxed) }

    /// Makes idle fids give up their descriptors. Whichever they are: a node that is wanted again opens its file again.
    ///
    /// A node that an open fid stands on is not idle. Only within `DescriptorPool.whilePathsStay`.
    /// - Parameter count: how many may keep theirs.
    /// - Returns: how many descriptors were given up.
    func park(downTo count: Int) -> Int {
        let entries = contents.withLock { Array($0.entries.values) }
        var busy: Set<ObjectIdentifier> = []
        for entry in entries {
            if case .walked = entry.state { continue }
            busy.insert(ObjectIdentifier(entry.node))
        }
        var kept = 0
        var given = 0
        for entry in entries where !busy.contains(ObjectIdentifier(entry.node)) && !entry.node.isParked {
            kept += 1
            if kept > count, entry.node.park() { given += 1 }
        }
        if given > 0 { parked.store(true, ordering: .relaxed) }
        return given
    }

    /// Leads parked nodes after a directory entry that was moved. Only within `DescriptorPool.whilePathsStay`.
    func follow(from oldPath: [UInt8], to newPath: [UInt8]) {
        let nodes = contents.withLock { $0.entries.values.map(\.node) }
        for node in nodes { node.follow(from: oldPath, to: newPath) }
    }
}

extension FidEntry {
    fileprivate var isOpen: Bool {
        switch state {
        case .file, .directory: true
        case .walked, .attributeValue, .attributeUpload: false
        }
    }

    /// Bytes of attribute values that the fid keeps in memory, or may come to keep.
    fileprivate var attributeBytes: Int {
        switch state {
        case .attributeValue(let value): value.count
        case .attributeUpload(let upload): upload.size
        default: 0
        }
    }
}
