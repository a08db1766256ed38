internal import FakeRoot
public import LinuxFiles
internal import Synchronization

/// An open directory that is read entry by entry.
///
/// The client's cookies are ordinals, small for every file system of the host; `positions` leads back from them. Any cookie
/// may be replayed, forwards and backwards. Between two requests only the positions are kept.
public final class DirectoryStream: Sendable {
    let descriptor: SharedDescriptor
    private let open: OpenNode

    private struct State {
        /// After entry `n` (from 0) the host goes on at `positions[n]`. Positions beyond the last entry read are from an earlier
        /// pass: they are still right for the entries shown then, and are overwritten by those shown now.
        var positions: [Int64] = []
        /// How many positions the client's share has paid for.
        var paidFor = 0
        /// The ordinal of the entry that the host shows next; nil if it has been read on from there.
        var next: Int?
    }

    private let state = Mutex(State())

    init(_ open: consuming OpenNode, _ descriptor: SharedDescriptor) {
        self.open = open
        self.descriptor = descriptor
    }

    deinit {
        node.client.memory.give(state.withLock { $0.paidFor } * Self.bytesPerPosition)
    }

    var node: Node { open.node }

    /// Bytes of one `getdents64`, at most.
    static let bufferSize = 32 << 10
    /// Bytes of one `getdents64`, at least: the host refuses a buffer that the next entry doesn't fit into (EINVAL), and FUSE
    /// has names of up to 4,095 bytes.
    private static let minimumReading = 4352
    /// Cookies stay below 2^31: some 32-bit clients keep them in an `int`.
    private static let maximumEntries = Int(Int32.max) - 1
    /// An array that grows has twice the room.
    private static let bytesPerPosition = 2 * MemoryLayout<Int64>.size
    /// Positions that are paid for in one go.
    private static let positionsAtOnce = 1024

    /// An entry as the client sees it: the same as a walk to it and its status would tell.
    public struct Entry: ~Copyable, ~Escapable {
        /// What the client tells the file by.
        public let id: FileID
        /// What the board takes the file for.
        public let format: FileFormat
        /// To go on after this entry.
        public let cookie: UInt64
        /// Any bytes but "/" and NUL; "." and ".." included.
        public let name: RawSpan

        @_lifetime(copy name)
        init(_ seen: Seen, cookie: UInt64, name: RawSpan) {
            id = seen.id
            format = seen.format
            self.cookie = cookie
            self.name = name
        }
    }

    /// Fills `data` with whole entries from a cookie on, in the client's format.
    /// - Parameters:
    ///   - cookie: 0, or that of the entry to go on after.
    ///   - longestEntry: the most bytes that an entry takes: where fewer are left, nothing more is read.
    ///   - encode: writes an entry to the start of what is left of `data`; says how many bytes it took, or nil if there were too
    ///     few: then the entry comes first the next time.
    /// - Returns: bytes filled; 0 at the directory's end.
    /// - Throws: `EINVAL` for a cookie never given out, or if not even one entry fits; `ENOMEM` if the client has its share of
    ///   memory.
    public func read(
        from cookie: UInt64,
        into data: UnsafeMutableRawBufferPointer,
        longestEntry: Int,
        encode: (borrowing Entry, UnsafeMutableRawBufferPointer) -> Int?
    ) throws(Errno) -> Int {
        try state.withLock { state throws(Errno) in
            try descriptor.use { (directory) throws(Errno) in
                try read(directory, from: cookie, into: data, longestEntry, &state, encode)
            }
        }
    }

    private func read(
        _ directory: CInt,
        from cookie: UInt64,
        into data: UnsafeMutableRawBufferPointer,
        _ longestEntry: Int,
        _ state: inout State,
        _ encode: (borrowing Entry, UnsafeMutableRawBufferPointer) -> Int?
    ) throws(Errno) -> Int {
        guard cookie <= UInt64(state.positions.count) else { throw .EINVAL }
        var ordinal = Int(cookie)
        if ordinal == 0 || state.next != ordinal {
            try System.seek(directory, to: ordinal == 0 ? 0 : state.positions[ordinal - 1])
        }
        state.next = nil
        return try node.client.directoryBuffers.withBuffer { (buffer) throws(Errno) in
            var used = 0
            while true {
                // Reads little more than there is room for: the rest is read again.
                let size = min(buffer.count, max(Self.minimumReading, data.count - used))
                let free = UnsafeMutableRawBufferPointer(rebasing: buffer[..<size])
                let filled = try System.readDirectory(directory, into: free)
                var start = 0
                let isAtEnd = filled == 0
                while start < filled {
                    guard ordinal < Self.maximumEntries else { throw .EFBIG }
                    // A constant: what an entry borrows would be moved to the heap if it could change.
                    let record = UnsafeRawBufferPointer(rebasing: free[start..<filled])
                    let entry = HostEntry(record)
                    if let seen = try look(at: entry, in: directory) {
                        let room = UnsafeMutableRawBufferPointer(rebasing: data[used...])
                        guard let taken = encode(Entry(seen, cookie: UInt64(ordinal + 1), name: entry.name), room)
                        else {
                            guard used > 0 else { throw .EINVAL }
                            return used
                        }
                        used += taken
                    }
                    try note(entry.position, ordinal, &state)
                    ordinal += 1
                    start += entry.length
                }
                state.next = ordinal
                if isAtEnd || used > 0 && data.count - used < longestEntry { return used }
            }
        }
    }

    private func note(_ position: Int64, _ ordinal: Int, _ state: inout State) throws(Errno) {
        guard ordinal == state.positions.count else {
            state.positions[ordinal] = position
            return
        }
        if ordinal == state.paidFor {
            guard node.client.memory.take(Self.positionsAtOnce * Self.bytesPerPosition) else { throw .ENOMEM }
            state.paidFor += Self.positionsAtOnce
        }
        state.positions.append(position)
    }

    /// What a client may know of an entry besides its name.
    struct Seen {
        var id: FileID
        var format: FileFormat
    }

    /// - Returns: nil for an entry that the client may not see, or that is gone.
    private func look(at entry: borrowing HostEntry, in directory: CInt) throws(Errno) -> Seen? {
        if FileName.isDot(entry.name) { return Seen(id: node.id, format: .directory) }
        if FileName.isDotDot(entry.name) {
            let parent = try node.isAttachRoot ? System.status(of: directory) : System.status(at: directory, "..")
            return Seen(id: node.export.id(of: parent), format: .directory)
        }
        // Some file systems count 255 UTF-16 units: such a name fits into no Linux client's directory entry.
        guard let name = try? FileName(entry.name) else { return nil }
        guard !FakeRootTree.isReservedName(name) else { return nil }
        do throws(Errno) {
            let found = try node.tree.kind(of: name, in: directory)
            return Seen(id: node.export.id(of: found.host), format: found.kind.format)
        } catch .ENOENT {
            return nil  // removed since the host's kernel listed it
        } catch {
            // An entry that can't be looked at, such as a dead FUSE mount, must not hide its neighbours.
            let device = try System.status(of: directory).device
            let format = entry.format
            return Seen(id: node.export.id(format, device: device, inode: entry.inode), format: format)
        }
    }
}
