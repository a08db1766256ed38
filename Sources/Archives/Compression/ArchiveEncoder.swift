internal import CArchive
internal import ImageEntries
internal import LinuxFiles

/// Compresses by libarchive.
final class ArchiveEncoder: StreamEncoder {
    private let archive: OpaquePointer
    private let link: CompressionWorker.Link
    private var encoded: UInt64 = 0

    /// - Parameters:
    ///   - compression: not `none`.
    ///   - level: nil for the usual one.
    init(_ link: CompressionWorker.Link, _ compression: Compression, level: Int?) throws(ImageError) {
        guard let archive = archive_write_new() else { throw ImageError(.system, "no memory to compress") }
        self.archive = archive
        self.link = link
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
        if compression == .zstd {
            // Unknown to old versions, which have one thread then.
            _ = archive_write_set_filter_option(archive, nil, "threads", String(CompressedOutput.threads))
        }
        // The archive goes before the link does: see deinit.
        let context = Unmanaged.passUnretained(link).toOpaque()
        try check(
            archive_write_open2(
                archive,
                context,
                nil,
                { _, context, bytes, count in
                    guard let context else { return -1 }
                    let link = Unmanaged<CompressionWorker.Link>.fromOpaque(context).takeUnretainedValue()
                    return link.emit(UnsafeRawBufferPointer(start: bytes, count: count)) ? count : -1
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

    func encode(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = archive_write_data(archive, rest.baseAddress, rest.count)
            guard count > 0 else { throw failure() }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        encoded += UInt64(bytes.count)
        link.note(encoded: encoded)
    }

    func finish() throws(ImageError) {
        try check(archive_write_close(archive))
    }

    private func check(_ code: CInt) throws(ImageError) {
        guard code != ARCHIVE_OK, code != ARCHIVE_WARN else { return }
        throw failure()
    }

    private func failure() -> ImageError {
        let text = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
        return ImageError(.system, "can't compress: \(text)")
    }
}
