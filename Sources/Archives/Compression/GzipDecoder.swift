internal import CZlib
internal import ImageEntries

/// Decompresses one member of gzip data (RFC 1952), and verifies its checksum and length.
///
/// libarchive's own gzip filter does not look at either (seen with 3.6), so a flipped
/// bit could become a wrong byte in a file.
final class GzipDecoder {
    private let input: any ByteInput
    private var rest: UnsafeRawBufferPointer
    /// On the heap: zlib refuses a stream that has moved.
    private let stream: UnsafeMutablePointer<z_stream>
    private var isAtEnd = false

    /// - Parameter first: the first block of `input`, which was read to recognize the format.
    init(_ input: any ByteInput, first: UnsafeRawBufferPointer) throws(ImageError) {
        self.input = input
        rest = first
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 15 bits of window, and 16 for "a gzip header is required".
        guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw ImageError(.system, "no memory to decompress the archive")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// What follows the member in the input's current block; only after `read` has given less than asked for.
    var leftover: UnsafeRawBufferPointer { rest }

    /// Fills the buffer with decompressed bytes.
    /// - Returns: bytes filled; less than asked for only at the member's end, and then 0.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImageError) -> Int {
        var filled = 0
        while filled < buffer.count, !isAtEnd {
            if rest.isEmpty { rest = try input.next() }
            guard !rest.isEmpty else { throw damaged("gzip data ends too early") }
            filled += try inflate(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
        }
        return filled
    }

    private func inflate(into buffer: UnsafeMutableRawBufferPointer) throws(ImageError) -> Int {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: rest.assumingMemoryBound(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = uInt(rest.count)
        stream.pointee.next_out = buffer.assumingMemoryBound(to: UInt8.self).baseAddress
        stream.pointee.avail_out = uInt(buffer.count)
        let code = CZlib.inflate(stream, Z_NO_FLUSH)
        rest = UnsafeRawBufferPointer(rebasing: rest.suffix(Int(stream.pointee.avail_in)))
        switch code {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END: isAtEnd = true
        case Z_MEM_ERROR: throw ImageError(.system, "no memory to decompress the archive")
        default: throw damaged(stream.pointee.msg.map { String(cString: $0) } ?? "wrong gzip data")
        }
        return buffer.count - Int(stream.pointee.avail_out)
    }

    private func damaged(_ what: String) -> ImageError {
        .damaged(input.name, what, at: input.bytesRead - UInt64(rest.count))
    }
}
