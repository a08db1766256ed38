internal import CLZMA
internal import ImageEntries

/// Decompresses one stream of xz data with no more than a fixed amount of memory.
///
/// Any block of an .xz file may ask for a dictionary of its own, up to 4 GiB, and libarchive 3.6 gives it. Only the
/// decoder itself sees them all before it takes the memory.
///
/// Source: the .xz file format 1.1, and `lzma/container.h`.
final class XZDecoder {
    /// In bytes: a dictionary of 512 MiB, which is the largest that lzip has, and what the decoder needs besides.
    /// `xz -9` makes one of 64 MiB.
    static let memoryLimit: UInt64 = 513 << 20

    private let input: any ByteInput
    private var rest: UnsafeRawBufferPointer
    /// On the heap: it must not move.
    private let stream: UnsafeMutablePointer<lzma_stream>
    private var isInputAtEnd = false
    private var isAtEnd = false

    /// - Parameter first: the first block of `input`, which was read to recognize the format.
    init(_ input: any ByteInput, first: UnsafeRawBufferPointer) throws(ImageError) {
        self.input = input
        rest = first
        stream = .allocate(capacity: 1)
        stream.initialize(to: lzma_stream())
        guard lzma_stream_decoder(stream, Self.memoryLimit, 0) == LZMA_OK else {
            throw ImageError(.system, "no memory to decompress the archive")
        }
    }

    deinit {
        lzma_end(stream)
        stream.deallocate()
    }

    /// What follows the stream in the input's current block; only after `read` has given less than asked for.
    var leftover: UnsafeRawBufferPointer { rest }

    /// Fills the buffer with decompressed bytes.
    /// - Returns: bytes filled; less than asked for only at the stream's end, and then 0.
    /// - Throws: `badArchive` for damaged data, and for what needs more memory than the limit.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImageError) -> Int {
        stream.pointee.next_out = buffer.assumingMemoryBound(to: UInt8.self).baseAddress
        stream.pointee.avail_out = buffer.count
        while stream.pointee.avail_out > 0, !isAtEnd {
            if rest.isEmpty, !isInputAtEnd {
                rest = try input.next()
                isInputAtEnd = rest.isEmpty
            }
            stream.pointee.next_in = rest.assumingMemoryBound(to: UInt8.self).baseAddress.map { UnsafePointer($0) }
            stream.pointee.avail_in = rest.count
            let code = lzma_code(stream, isInputAtEnd ? LZMA_FINISH : LZMA_RUN)
            rest = UnsafeRawBufferPointer(rebasing: rest.suffix(stream.pointee.avail_in))
            switch code {
            case LZMA_OK: break
            case LZMA_STREAM_END: isAtEnd = true
            default: throw failure(code)
            }
        }
        return buffer.count - stream.pointee.avail_out
    }

    private func failure(_ code: lzma_ret) -> ImageError {
        switch code {
        case LZMA_MEM_ERROR: ImageError(.system, "no memory to decompress the archive")
        case LZMA_MEMLIMIT_ERROR:
            .needsMemory(input, "\(lzma_memusage(stream) >> 20) MiB", limit: Self.memoryLimit, program: "xz")
        case LZMA_OPTIONS_ERROR: damaged("it is xz of a kind that this liblzma doesn't know")
        case LZMA_BUF_ERROR: damaged("xz data ends too early")
        default: damaged("wrong xz data")
        }
    }

    private func damaged(_ what: String) -> ImageError {
        .damaged(input.name, what, at: input.bytesRead - UInt64(rest.count))
    }
}
