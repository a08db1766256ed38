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
        /// How many descriptors there can be before idle ones are given up again.
        var parkingThreshold: Int
    }

    private let contents: Mutex<Contents>
    private let maximumFids: Int
    private let maximumDescriptors: Int
    private let maximumAttributeBytes: Int

    init(_ configuration: ServerConfiguration) {
        maximumFids = configuration.maximumFids
        maximumDescriptors = configuration.maximumDescriptors
        maximumAttributeBytes = configuration.maximumAttributeBytes
        contents = Mutex(Contents(parkingThreshold: configuration.maximumDescriptors))
    }

    /// - Throws: `EBADF`.
    subscript(fid: Fid) -> FidEntry {
        get throws(Errno) {
            guard let entry = contents.withLock({ $0.entries[fid] }) else { throw .EBADF }
            return entry
        }
    }

    func contains(_ fid: Fid) -> Bool {
        contents.withLock { $0.entries[fid] != nil }
    }

    /// Binds a fid that must be free.
    /// - Throws: `EBADF` if it is in use, `ENFILE` if there are too many.
    func insert(_ entry: FidEntry, at fid: Fid) throws(Errno) {
        try reserveDescriptor()
        try contents.withLock { contents throws(Errno) in
            guard contents.entries[fid] == nil, fid != .none else { throw .EBADF }
            guard contents.entries.count < maximumFids else { throw .ENFILE }
            try Self.account(for: entry, in: &contents, limit: maximumAttributeBytes)
            contents.entries[fid] = entry
        }
    }

    /// Changes what a fid is bound to, if it still is bound to what the caller saw.
    /// - Throws: `EBADF` if another request changed it meanwhile.
    func replace(_ fid: Fid, _ old: FidEntry, with entry: FidEntry) throws(Errno) {
        try contents.withLock { contents throws(Errno) in
            guard let current = contents.entries[fid], current.node === old.node, case .walked = current.state else {
                throw .EBADF
            }
            try Self.account(for: entry, in: &contents, limit: maximumAttributeBytes)
            contents.entries[fid] = entry
        }
    }

    func remove(_ fid: Fid) throws(Errno) -> FidEntry {
        try contents.withLock { contents throws(Errno) in
            guard let entry = contents.entries.removeValue(forKey: fid) else { throw .EBADF }
            contents.attributeBytes -= entry.attributeBytes
            return entry
        }
    }

    private static func account(for entry: FidEntry, in contents: inout Contents, limit: Int) throws(Errno) {
        guard contents.attributeBytes + entry.attributeBytes <= limit else { throw .ENOSPC }
        contents.attributeBytes += entry.attributeBytes
    }

    /// Makes idle fids give up their descriptors when there are many.
    private func reserveDescriptor() throws(Errno) {
        let crowd = contents.withLock { contents -> [Node]? in
            guard contents.entries.count >= contents.parkingThreshold else { return nil }
            return contents.entries.values.compactMap { entry in
                if case .walked = entry.state { entry.node } else { nil }
            }
        }
        guard let crowd else { return }
        var held = 0
        for node in crowd where !node.isParked { held += 1 }
        // Half of them at a time, so that the search is paid for by many walks. Whichever they are: a node that is
        // wanted again opens its file again.
        var surplus = held - maximumDescriptors / 2
        for node in crowd where surplus > 0 && node.park() { surplus -= 1 }
        contents.withLock { $0.parkingThreshold = $0.entries.count + maximumDescriptors / 2 }
    }
}

extension FidEntry {
    /// Bytes of attribute values that the fid keeps in memory, or may come to keep.
    fileprivate var attributeBytes: Int {
        switch state {
        case .attributeValue(let value): value.count
        case .attributeUpload(let upload): upload.size
        default: 0
        }
    }
}
