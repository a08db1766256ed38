internal import FakeRoot
internal import LinuxFiles
internal import P9Wire
internal import Synchronization

/// An open directory that is read by Treaddir.
///
/// The client's cookies are ordinals, small whatever numbers the host's file system uses; `positions` leads back from
/// them. Any cookie may be replayed, forwards and backwards. Between two requests nothing but the positions is kept.
final class DirectoryStream: Sendable {
    let descriptor: SharedDescriptor
    private let memory: Budget.Account
    private let buffers: BufferStore

    private struct State {
        /// After entry `n` (from 0) the host goes on at `positions[n]`. Those beyond what was read last are from an earlier
        /// pass: still the host's for what it showed then, and overwritten by what it shows now.
        var positions: [Int64] = []
        /// How many positions the client's share has paid for.
        var paidFor = 0
        /// The ordinal of the entry that the host shows next; nil if it has been read on from there.
        var next: Int?
    }

    private let state = Mutex(State())

    /// - Parameters:
    ///   - memory: pays for the positions.
    ///   - buffers: of `bufferSize` bytes.
    init(_ descriptor: SharedDescriptor, _ memory: Budget.Account, _ buffers: BufferStore) {
        self.descriptor = descriptor
        self.memory = memory
        self.buffers = buffers
    }

    deinit {
        memory.give(state.withLock { $0.paidFor } * Self.bytesPerPosition)
    }

    /// Bytes of one `getdents64`, at most.
    static let bufferSize = 32 << 10
    /// And at least: the host refuses a buffer that the next entry doesn't fit into (EINVAL), and FUSE has names of up to
    /// 4,095 bytes.
    private static let minimumReading = 4352
    /// The longest entry of a reply: qid, cookie, type, the name and its length.
    private static let longestEntry = 13 + 8 + 1 + 2 + 255
    /// Cookies stay below 2^31: some 32-bit clients keep them in an `int`.
    private static let maximumEntries = Int(Int32.max) - 1
    /// An array that grows has twice the room.
    private static let bytesPerPosition = 2 * MemoryLayout<Int64>.size
    /// Positions that are paid for in one go.
    private static let positionsAtOnce = 1024

    /// Fills `data` with whole entries from a cookie on.
    /// - Parameter describe: the qid and `d_type` of a name; nil for one that the client may not see, or that is gone.
    /// - Returns: bytes filled; 0 at the end.
    /// - Throws: `EINVAL` for a cookie never given out, or if not even one entry fits; `ENOMEM` if the client has its share of
    ///   memory.
    func read(
        from cookie: UInt64,
        into data: UnsafeMutableRawBufferPointer,
        describe: (borrowing HostEntry) throws(Errno) -> (qid: Qid, type: UInt8)?
    ) throws(Errno) -> Int {
        try state.withLock { state throws(Errno) in
            guard cookie <= UInt64(state.positions.count) else { throw .EINVAL }
            var ordinal = Int(cookie)
            if ordinal == 0 || state.next != ordinal {
                try System.seek(descriptor.raw, to: ordinal == 0 ? 0 : state.positions[ordinal - 1])
            }
            state.next = nil
            var output = OutputRawSpan(buffer: data, initializedCount: 0)
            try buffers.withBuffer { (buffer) throws(Errno) in
                while true {
                    // Not much more than there is room for: what is left over is read again.
                    let size = min(buffer.count, max(Self.minimumReading, output.freeCapacity))
                    let free = UnsafeMutableRawBufferPointer(rebasing: buffer[..<size])
                    let filled = try System.readDirectory(descriptor.raw, into: free)
                    var rest = UnsafeRawBufferPointer(rebasing: free[..<filled])
                    let isAtEnd = filled == 0
                    while !rest.isEmpty {
                        let record = try Self.append(rest, ordinal: ordinal, to: &output, describe)
                        if record.outcome == .noRoom {
                            guard output.byteCount > 0 else { throw .EINVAL }
                            return
                        }
                        try note(record.position, ordinal, &state)
                        ordinal += 1
                        rest = UnsafeRawBufferPointer(rebasing: rest[record.length...])
                    }
                    state.next = ordinal
                    if isAtEnd || output.byteCount > 0 && output.freeCapacity < Self.longestEntry { return }
                }
            }
            return output.byteCount
        }
    }

    private func note(_ position: Int64, _ ordinal: Int, _ state: inout State) throws(Errno) {
        guard ordinal == state.positions.count else {
            state.positions[ordinal] = position
            return
        }
        if ordinal == state.paidFor {
            guard memory.take(Self.positionsAtOnce * Self.bytesPerPosition) else { throw .ENOMEM }
            state.paidFor += Self.positionsAtOnce
        }
        state.positions.append(position)
    }

    private struct Record {
        enum Outcome { case written, hidden, noRoom }

        var outcome: Outcome
        var length: Int
        var position: Int64
    }

    private static func append(
        _ bytes: UnsafeRawBufferPointer,
        ordinal: Int,
        to output: inout OutputRawSpan,
        _ describe: (borrowing HostEntry) throws(Errno) -> (qid: Qid, type: UInt8)?
    ) throws(Errno) -> Record {
        guard ordinal < maximumEntries else { throw .EFBIG }
        let entry = HostEntry(bytes)
        var record = Record(outcome: .hidden, length: entry.length, position: entry.position)
        guard let seen = try describe(entry) else { return record }
        let reply = DirectoryEntry(qid: seen.qid, cookie: UInt64(ordinal + 1), type: seen.type, name: entry.name)
        record.outcome = (try? reply.encode(into: &output)) == nil ? .noRoom : .written
        return record
    }
}

/// A `struct linux_dirent64`: `d_ino[8] d_off[8] d_reclen[2] d_type[1] d_name`, in the host's byte order.
struct HostEntry: ~Copyable, ~Escapable {
    private let bytes: UnsafeRawBufferPointer

    @_lifetime(borrow bytes)
    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var inode: UInt64 { bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self) }
    /// Where the host goes on after this entry.
    var position: Int64 { bytes.loadUnaligned(fromByteOffset: 8, as: Int64.self) }
    var length: Int { Int(bytes.loadUnaligned(fromByteOffset: 16, as: UInt16.self)) }

    /// As in `readdir(3)`.
    var type: UInt8 { bytes[18] }

    var name: RawSpan {
        @_lifetime(copy self)
        get {
            let rest = bytes[19..<length]
            let end = rest.firstIndex(of: 0) ?? rest.endIndex
            let span = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: bytes[19..<end]))
            return _overrideLifetime(span, copying: self)
        }
    }
}
