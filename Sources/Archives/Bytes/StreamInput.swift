internal import ImageEntries

/// What is left of a stream that is not compressed, as the input of another decoder: a compressed initramfs behind an
/// early one.
final class StreamInput: ByteInput, @unchecked Sendable {  // read by one thread at a time, handed over at its start
    private let stream: ArchiveStream
    private let outer: any ByteInput
    /// A copy of the current block when the stream was handed over, with enough to recognize a format.
    private var first: [UInt8]
    private let firstBlock: UnsafeMutableRawBufferPointer
    private(set) var failure: ImageError?
    /// Bytes of the outermost input up to here.
    private(set) var bytesRead: UInt64

    /// - Parameter rest: what is left of the stream's current block.
    init(_ stream: ArchiveStream, _ outer: any ByteInput, rest: UnsafeRawBufferPointer) throws(ImageError) {
        self.stream = stream
        self.outer = outer
        first = Array(rest)
        bytesRead = (stream.position ?? 0) - UInt64(rest.count)
        while first.count < 4096 {
            let block = try stream.next()
            if block.isEmpty { break }
            first += block
        }
        firstBlock = .allocate(byteCount: max(first.count, 1), alignment: 16)
        firstBlock.copyBytes(from: first)
    }

    deinit {
        stream.abandon()
        firstBlock.deallocate()
    }

    var name: String { outer.name }
    var word: String? { outer.word }
    var size: UInt64? { outer.size }

    func next() throws(ImageError) -> UnsafeRawBufferPointer {
        if !first.isEmpty {
            let count = first.count
            first = []
            bytesRead += UInt64(count)
            return UnsafeRawBufferPointer(rebasing: firstBlock[..<count])
        }
        do throws(ImageError) {
            let block = try stream.next()
            bytesRead += UInt64(block.count)
            return block
        } catch {
            failure = error
            throw error
        }
    }
}
