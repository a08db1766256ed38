internal import FakeRoot
package import ImageEntries
internal import LinuxFiles

/// The archive's decompressed bytes, made ahead by a thread of their own.
///
/// GNU tar runs the decompressor as a process beside itself; with a thread we are as fast, in a few fixed buffers.
package final class ArchiveStream: @unchecked Sendable {  // each field is one thread's, or behind the monitor
    private struct State {
        /// Blocks filled and taken back so far; the difference is at most `blockCount`.
        var filled = 0
        var returned = 0
        /// Bytes in each block.
        var counts = [Int](repeating: 0, count: ArchiveStream.blockCount)
        var end: End?
        var isAbandoned = false
        /// Where in the input each block's bytes end; nil for those that were compressed.
        var positions = [UInt64?](repeating: nil, count: ArchiveStream.blockCount)
    }

    private enum End: Sendable {
        case whole
        case failed(ImageError)
    }

    private static let blockCount = 4
    private static let blockSize = 256 << 10

    package let input: any ByteInput
    private let cancellation: Cancellation
    private let blocks: UnsafeMutableRawBufferPointer
    private let monitor = Monitor(State())
    /// The hash of the decompressed bytes; the thread's until the end has been seen.
    private var hash: SHA256?

    // The consumer's.
    private var taken = 0
    /// Given back, to be given once more.
    private var unread: UnsafeRawBufferPointer?
    /// Pieces of blocks that had to be put together.
    private var joined: UnsafeMutableRawBufferPointer?
    package private(set) var failure: ImageError?
    /// Whether the bytes given last were compressed; known once there was a block.
    package private(set) var isCompressed = false
    /// Where in the input the bytes given last end; nil for those that were compressed.
    package private(set) var position: UInt64?

    /// Starts to read.
    /// - Parameter isHashed: whether `finishHash` will be asked for.
    /// - Throws: `badArchive` for an empty file, and what opening the decompressor gives.
    package init(_ input: any ByteInput, isHashed: Bool = false, _ cancellation: Cancellation) throws(ImageError) {
        if isHashed { hash = SHA256() }
        self.input = input
        self.cancellation = cancellation
        blocks = .allocate(byteCount: Self.blockCount * Self.blockSize, alignment: 4096)
        do throws(Errno) {
            try startThread { self.produce() }
        } catch {
            throw ImageError("can't start a thread", error)
        }
    }

    deinit {
        blocks.deallocate()
        joined?.deallocate()
    }

    /// Lets the thread end. To be called when no more blocks are wanted, whatever the reason.
    package func abandon() {
        monitor.update { $0.isAbandoned = true }
    }

    /// The first block, which `next` gives once more; empty if there is none.
    /// - Throws: as `next`.
    package func peek() throws(ImageError) -> UnsafeRawBufferPointer {
        let first = try next()
        giveBack(first)
        return first
    }

    /// Gives back the end of the block that `next` gave last.
    package func giveBack(_ rest: UnsafeRawBufferPointer) {
        unread = rest
    }

    /// The same, and what follows in the same piece, so that a format can be recognized.
    /// - Parameter count: how many bytes the piece is to have, if there are that many.
    /// - Throws: as `next`.
    package func giveBack(_ rest: UnsafeRawBufferPointer, joining count: Int) throws(ImageError) {
        guard rest.count < count else { return giveBack(rest) }
        var head = Array(rest)
        // What is compressed and what is not are two archives.
        let wasCompressed = isCompressed
        while head.count < count {
            let block = try next()
            if block.isEmpty { break }
            head += block
            if isCompressed != wasCompressed { break }
        }
        joined?.deallocate()
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(head.count, 1), alignment: 16)
        copy.copyBytes(from: head)
        joined = copy
        giveBack(UnsafeRawBufferPointer(rebasing: copy[..<head.count]))
    }

    /// The next block, valid until the next call; empty at the end.
    /// - Throws: `badArchive` for damaged data, `cancelled`, what reading the source throws; the same again at each
    ///   further call.
    package func next() throws(ImageError) -> UnsafeRawBufferPointer {
        if let unread {
            self.unread = nil
            return unread
        }
        if let failure { throw failure }
        do throws(ImageError) {
            return try take()
        } catch {
            failure = error
            throw error
        }
    }

    /// The SHA-256 of all decompressed bytes; only after `next` has given the end.
    package func finishHash() -> [UInt8] { hash?.finish() ?? [] }

    private func take() throws(ImageError) -> UnsafeRawBufferPointer {
        let index = taken
        monitor.update { $0.returned = index }
        let interval = Double(Cancellation.pollInterval) / 1000
        while !cancellation.isRequested {
            let found: (count: Int, position: UInt64?, end: End?)? = monitor.wait(seconds: interval) { state in
                let place = index % Self.blockCount
                if state.filled > index { return (state.counts[place], state.positions[place], nil) }
                return state.end.map { (0, nil, $0) }
            }
            guard let found else { continue }
            switch found.end {
            case nil:
                taken += 1
                isCompressed = found.position == nil
                position = found.position
                return UnsafeRawBufferPointer(rebasing: block(index)[..<found.count])
            case .whole?: return UnsafeRawBufferPointer(start: nil, count: 0)
            case .failed(let error)?: throw error
            }
        }
        throw ImageError(.cancelled, "the import was cancelled")
    }

    private func block(_ index: Int) -> UnsafeMutableRawBufferPointer {
        let start = index % Self.blockCount * Self.blockSize
        return UnsafeMutableRawBufferPointer(rebasing: blocks[start..<start + Self.blockSize])
    }

    // MARK: The thread

    private func produce() {
        var end = End.whole
        do throws(ImageError) {
            try decode()
        } catch {
            end = .failed(error)
        }
        monitor.update { $0.end = end }
    }

    private func decode() throws(ImageError) {
        let decoder = try SegmentDecoder(input)
        var index = 0
        while true {
            let current = index
            let isWanted: Bool = monitor.wait { state in
                if state.isAbandoned { return false }
                return current - state.returned < Self.blockCount ? true : nil
            }
            guard isWanted else { return }
            let count = try decoder.read(into: block(index))
            if count == 0 { return }
            hash?.update(UnsafeRawBufferPointer(rebasing: block(index)[..<count]))
            let position = decoder.isCompressed ? nil : decoder.position
            monitor.update { state in
                state.counts[current % Self.blockCount] = count
                state.positions[current % Self.blockCount] = position
                state.filled = current + 1
            }
            index += 1
        }
    }
}
