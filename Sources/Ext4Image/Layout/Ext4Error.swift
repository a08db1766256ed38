internal import CExt2FS
internal import ImageEntries
internal import LinuxFiles

/// What goes wrong with ext2, ext3 and ext4 images.
extension ImageError {
    /// - Parameter check: the command that mends a copy of the image.
    static func damagedExt4(_ what: String, check: String) -> ImageError {
        ImageError(
            .badArchive,
            "the ext file system is damaged: \(what)",
            hint: "Copy the image again from where it came, or mend a copy of it:\n    \(check)"
        )
    }

    /// The error for a code that libext2fs gave: one of its own, or an `errno`.
    /// - Parameter action: what was being done, to go before ": No such file or directory".
    static func ext4(_ action: String, _ code: errcode_t, check: String) -> ImageError {
        // EINVAL: it went to a block that no file can have.
        if code > 0, code < 4096, code != errcode_t(Errno.EINVAL.rawValue) {
            return ImageError(action, Errno(rawValue: CInt(code)))
        }
        return .damagedExt4("\(action): \(ext4Text(code))", check: check)
    }

    /// What libext2fs says of one of its error codes.
    static func ext4Text(_ code: errcode_t) -> String {
        initialize_ext2_error_table()
        return error_message(code).map { String(cString: $0) } ?? "error \(code)"
    }
}
