internal import CLZMA
internal import ImageEntries

/// Compresses to xz, in blocks of three times the level's dictionary, as `xz -T2` and libarchive do.
///
/// By liblzma itself: libarchive would not let go before a block is compressed, and nobody would know how far it is.
///
/// Source: `lzma/container.h`.
final class XZEncoder: StreamEncoder {
    private let link: CompressionWorker.Link
    /// On the heap: it must not move.
    private let stream: UnsafeMutablePointer<lzma_stream>
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)

    /// Milliseconds after which the encoder looks up from its work.
    private static let timeout: UInt32 = 100

    /// - Parameter level: 0 to 9; nil for 6.
    init(_ link: CompressionWorker.Link, level: Int?) throws(ImageError) {
        self.link = link
        stream = .allocate(capacity: 1)
        stream.initialize(to: lzma_stream())
        var options = lzma_mt()
        options.threads = CompressedOutput.threads
        options.timeout = Self.timeout
        options.preset = UInt32(level ?? 6)
        options.check = LZMA_CHECK_CRC64
        guard lzma_stream_encoder_mt(stream, &options) == LZMA_OK else {
            throw ImageError(.system, "no memory to compress")
        }
    }

    deinit {
        lzma_end(stream)
        stream.deallocate()
        buffer.deallocate()
    }

    func encode(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        stream.pointee.next_in = bytes.assumingMemoryBound(to: UInt8.self).baseAddress.map { UnsafePointer($0) }
        stream.pointee.avail_in = bytes.count
        while stream.pointee.avail_in > 0 { _ = try step(LZMA_RUN) }
    }

    func finish() throws(ImageError) {
        while try step(LZMA_FINISH) != LZMA_STREAM_END {}
    }

    private func step(_ action: lzma_action) throws(ImageError) -> lzma_ret {
        stream.pointee.next_out = buffer.assumingMemoryBound(to: UInt8.self).baseAddress
        stream.pointee.avail_out = buffer.count
        let code = lzma_code(stream, action)
        var (encoded, written): (UInt64, UInt64) = (0, 0)
        lzma_get_progress(stream, &encoded, &written)
        link.note(encoded: encoded)
        let output = UnsafeRawBufferPointer(rebasing: buffer[..<(buffer.count - stream.pointee.avail_out)])
        guard output.isEmpty ? !link.isAbandoned : link.emit(output) else {
            throw ImageError(.cancelled, "nobody wants what is compressed")
        }
        switch code {
        case LZMA_OK, LZMA_STREAM_END: return code
        case LZMA_MEM_ERROR: throw ImageError(.system, "can't compress: no memory")
        default: throw ImageError(.system, "can't compress: liblzma's error \(code.rawValue)")
        }
    }
}
