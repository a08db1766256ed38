internal import CArchive
internal import LinuxFiles

/// Compresses by libarchive what it passes on: the same bytes for the same bytes, on however many processors.
final class CompressedOutput: ByteOutput {
    private let archive: OpaquePointer
    private let next: any ByteOutput
    private var failure: ImageError?

    /// The work is done by so many threads, which decides how the data is cut into blocks; so it must not depend on the
    /// machine.
    private static let threads = 2

    /// - Parameters:
    ///   - compression: not `none`.
    ///   - level: nil for the usual one.
    init(_ next: any ByteOutput, _ compression: Compression, level: Int? = nil) throws(ImageError) {
        guard let archive = archive_write_new() else { throw ImageError(.system, "no memory to compress") }
        self.archive = archive
        self.next = next
        // One entry without a header is the whole of this "format".
        archive_write_set_format_raw(archive)
        archive_write_set_bytes_per_block(archive, 0)
        let added =
            switch compression {
            case .none: archive_write_add_filter_none(archive)
            case .gzip: archive_write_add_filter_gzip(archive)
            case .xz: archive_write_add_filter_xz(archive)
            case .zstd: archive_write_add_filter_zstd(archive)
            case .bzip2: archive_write_add_filter_bzip2(archive)
            }
        try check(added)
        // A gzip header without the time of day.
        if compression == .gzip { try check(archive_write_set_filter_option(archive, nil, "timestamp", nil)) }
        if let level {
            try check(archive_write_set_filter_option(archive, nil, "compression-level", String(level)))
        }
        if compression == .xz || compression == .zstd {
            // Unknown to old versions for zstd, which have one thread then.
            _ = archive_write_set_filter_option(archive, nil, "threads", String(Self.threads))
        }
        let context = Unmanaged.passUnretained(self).toOpaque()
        try check(
            archive_write_open2(
                archive,
                context,
                nil,
                { _, context, bytes, count in
                    guard let context else { return -1 }
                    let output = Unmanaged<CompressedOutput>.fromOpaque(context).takeUnretainedValue()
                    return output.pass(UnsafeRawBufferPointer(start: bytes, count: count)) ? count : -1
                },
                nil,
                nil
            )
        )
        let entry = archive_entry_new()
        defer { archive_entry_free(entry) }
        archive_entry_set_pathname(entry, "data")
        archive_entry_set_filetype(entry, UInt32(FileFormat.regular.rawValue))
        try check(archive_write_header(archive, entry))
    }

    deinit {
        // Without this the closing in archive_write_free would write what is left.
        archive_write_fail(archive)
        archive_write_free(archive)
    }

    private func pass(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard failure == nil else { return false }
        do throws(ImageError) {
            try next.write(bytes)
            return true
        } catch {
            failure = error
            return false
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = archive_write_data(archive, rest.baseAddress, rest.count)
            guard count > 0 else { throw compressionFailure() }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    func finish() throws(ImageError) {
        try check(archive_write_close(archive))
        try next.finish()
    }

    private func check(_ code: CInt) throws(ImageError) {
        guard code != ARCHIVE_OK, code != ARCHIVE_WARN else { return }
        throw compressionFailure()
    }

    private func compressionFailure() -> ImageError {
        if let failure { return failure }
        let text = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
        return ImageError(.system, "can't compress: \(text)")
    }
}
