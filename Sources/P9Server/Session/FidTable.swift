internal import LinuxFiles
internal import P9Wire
internal import ServedTree
internal import Synchronization

/// What a fid is bound to.
struct FidEntry: Sendable {
    enum State: Sendable {
        /// Walked to, not opened.
        case walked
        case open(Opened)
        /// The value of an attribute, or the list of names, to be read.
        case attributeValue([UInt8])
        /// A value under way to the file, stored at Tclunk.
        case attributeUpload(AttributeUpload)
    }

    var node: Node
    var state: State
    /// The user of the Tattach that the fid comes from.
    var caller: Caller

    /// What the fid has opened.
    var opened: Opened? {
        if case .open(let opened) = state { opened } else { nil }
    }

    var qid: Qid { Qid(node.id) }

    var isWalked: Bool {
        if case .walked = state { true } else { false }
    }

    /// Whether the fid stands for an attribute of the file, not for the file.
    var isAttribute: Bool {
        switch state {
        case .attributeValue, .attributeUpload: true
        case .walked, .open: false
        }
    }

    /// Bytes of attribute values that the fid keeps in memory, or may come to keep.
    fileprivate var attributeBytes: Int {
        switch state {
        case .attributeValue(let value): value.count
        case .attributeUpload(let upload): upload.size
        case .walked, .open: 0
        }
    }
}

/// The fids of one session: plain records, and what they cost the client.
///
/// What is taken out of the table is closed after the lock was given back: closing a file may take long.
final class FidTable: Sendable {
    private struct Contents {
        var entries: [Fid: FidEntry] = [:]
        var attributeBytes = 0
    }

    private let contents = Mutex(Contents())
    private let memory: Budget.Account
    private let limits: ServerLimits

    /// What a fid is taken to need, in bytes: its entry, node and descriptor here, and the kernel's part.
    private static let bytesPerFid = 512

    init(paidBy memory: Budget.Account, _ limits: ServerLimits) {
        self.memory = memory
        self.limits = limits
    }

    deinit {
        let entries = contents.withLock { contents in
            defer { contents.entries = [:] }
            return contents.entries
        }
        for entry in entries.values { forget(entry) }
        memory.give(entries.count * Self.bytesPerFid)
    }

    /// - Throws: `EBADF`.
    subscript(fid: Fid) -> FidEntry {
        get throws(Errno) {
            guard let entry = contents.withLock({ $0.entries[fid] }) else { throw .EBADF }
            return entry
        }
    }

    /// Runs `body` while nobody can clunk the fid. It must be short: all other requests of the session wait.
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
    /// - Throws: `EBADF` if it is in use, `ENFILE` if the session has too many, `ENOSPC` if it has too much of attributes
    ///   under way.
    func insert(_ entry: FidEntry, at fid: Fid) throws(Errno) {
        try contents.withLock { contents throws(Errno) in
            guard contents.entries[fid] == nil, fid != .none else { throw .EBADF }
            guard contents.entries.count < limits.fids, memory.take(Self.bytesPerFid) else { throw .ENFILE }
            do throws(Errno) {
                try account(for: entry, in: &contents)
            } catch {
                memory.give(Self.bytesPerFid)
                throw error
            }
            contents.entries[fid] = entry
        }
    }

    /// Changes what a fid is bound to, if it still is bound to what the caller saw.
    /// - Throws: `EBADF` if another request changed it meanwhile, `ENOSPC` if the session has too much of attributes under
    ///   way.
    func replace(_ fid: Fid, _ old: FidEntry, with entry: FidEntry) throws(Errno) {
        let replaced = try contents.withLock { contents throws(Errno) -> FidEntry in
            guard let current = contents.entries[fid], current.node === old.node, current.isWalked else {
                throw .EBADF
            }
            try account(for: entry, in: &contents)
            contents.entries[fid] = entry
            return current
        }
        forget(replaced)
    }

    func remove(_ fid: Fid) throws(Errno) -> FidEntry {
        let entry = try contents.withLock { contents throws(Errno) in
            guard let entry = contents.entries.removeValue(forKey: fid) else { throw .EBADF }
            contents.attributeBytes -= entry.attributeBytes
            return entry
        }
        forget(entry)
        memory.give(Self.bytesPerFid)
        return entry
    }

    private func account(for entry: FidEntry, in contents: inout Contents) throws(Errno) {
        let bytes = entry.attributeBytes
        guard contents.attributeBytes + bytes <= limits.attributeBytes, memory.take(bytes) else { throw .ENOSPC }
        contents.attributeBytes += bytes
        entry.node.bind()
    }

    /// Gives back what `account` has taken of the client's share.
    private func forget(_ entry: FidEntry) {
        memory.give(entry.attributeBytes)
        entry.node.unbind()
    }
}
