internal import FakeRoot
internal import LinuxFiles
internal import P9Wire
internal import Synchronization

/// An open directory that is read by Treaddir.
///
/// The client's cookies are ordinals, small whatever numbers the host's file system uses; `positions` leads back from
/// them. Any cookie may be replayed, forwards and backwards.
final class DirectoryStream: Sendable {
    let descriptor: SharedDescriptor

    private struct State {
        /// After entry `n` (from 0) the host goes on at `positions[n]`. Those from `next` on are from an earlier pass:
        /// still the host's for what it showed then, and overwritten by what it shows now.
        var positions: [Int64] = []
        /// The ordinal of the entry at `start` in the buffer.
        var next = 0
        var buffer: [UInt8] = []
        var start = 0
        var end = 0
    }

    private let state = Mutex(State())

    init(_ descriptor: SharedDescriptor) {
        self.descriptor = descriptor
    }

    /// Bytes of one `getdents64`.
    private static let bufferSize = 32 << 10
    /// Cookies stay below 2^31: some 32-bit clients keep them in an `int`.
    private static let maximumEntries = Int(Int32.max) - 1

    /// Fills `data` with whole entries from a cookie on.
    /// - Parameter describe: the qid and `d_type` of a name; nil for one that the client may not see, or that is gone.
    /// - Returns: bytes filled; 0 at the end.
    /// - Throws: `EINVAL` for a cookie never given out, or if not even one entry fits.
    func read(
        from cookie: UInt64,
        into data: UnsafeMutableRawBufferPointer,
        describe: (borrowing HostEntry) throws(Errno) -> (qid: Qid, type: UInt8)?
    ) throws(Errno) -> Int {
        try state.withLock { state throws(Errno) in
            try seek(to: cookie, &state)
            var output = OutputRawSpan(buffer: data, initializedCount: 0)
            while true {
                if state.start == state.end, try !refill(&state) { break }
                let record = try state.buffer.withUnsafeBufferPointer { (buffer) throws(Errno) -> Record in
                    let bytes = UnsafeRawBufferPointer(
                        rebasing: UnsafeRawBufferPointer(buffer)[state.start..<state.end]
                    )
                    return try Self.append(bytes, ordinal: state.next, to: &output, describe)
                }
                if record.outcome == .noRoom {
                    guard output.byteCount > 0 else { throw .EINVAL }
                    break
                }
                if state.positions.count == state.next {
                    state.positions.append(record.position)
                } else {
                    state.positions[state.next] = record.position
                }
                state.next += 1
                state.start += record.length
            }
            // Clients keep directories open that they have read to the end, which an empty reply tells them.
            if output.byteCount == 0 { state.buffer = [] }
            return output.byteCount
        }
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

    private func seek(to cookie: UInt64, _ state: inout State) throws(Errno) {
        if cookie == UInt64(state.next), cookie != 0 { return }
        guard cookie <= UInt64(state.positions.count) else { throw .EINVAL }
        let ordinal = Int(cookie)
        try System.seek(descriptor.raw, to: ordinal == 0 ? 0 : state.positions[ordinal - 1])
        state.next = ordinal
        state.start = 0
        state.end = 0
    }

    private func refill(_ state: inout State) throws(Errno) -> Bool {
        if state.buffer.isEmpty { state.buffer = [UInt8](repeating: 0, count: Self.bufferSize) }
        state.start = 0
        state.end = 0
        state.end = try state.buffer.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
            try System.readDirectory(descriptor.raw, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return state.end > 0
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
