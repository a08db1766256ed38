internal import ImageEntries

/// What goes wrong with archives and compressed data.
extension ImageError {
    /// The error for bytes that are not as the format has it.
    /// - Parameters:
    ///   - name: what the archive is called.
    ///   - offset: where in the archive file, in bytes.
    static func damaged(_ name: String, _ what: String, at offset: UInt64) -> ImageError {
        ImageError(
            .badArchive,
            "\(name) is damaged at byte \(offset): \(what)",
            hint: "Download or copy it again, and compare its checksum with the one where it came from."
        )
    }

    /// The error for compressed data that only a lot of memory could decompress.
    /// - Parameters:
    ///   - input: the archive.
    ///   - need: how much it is, to go after "needs".
    ///   - limit: what is given at most, in bytes.
    ///   - program: what decompresses such data.
    static func needsMemory(_ input: any ByteInput, _ need: String, limit: UInt64, program: String) -> ImageError {
        ImageError(
            .badArchive,
            "\(input.name) needs \(need) of memory to be decompressed; the limit is \(limit >> 20) MiB",
            hint:
                "If it can be trusted, decompress it first:\n    \(program) -dc \(input.archive) | p9serve import - DIR"
        )
    }

    /// The error for what follows where everything should have ended.
    /// - Parameters:
    ///   - input: the archive.
    ///   - rest: what is there, from its first byte that is not zero.
    ///   - end: what has ended, to go after "behind".
    ///   - padding: zeros before it, in bytes.
    ///   - offset: where in the archive file, in bytes; nil within compressed data.
    static func trailing(
        in input: any ByteInput,
        _ rest: UnsafeRawBufferPointer,
        after end: String,
        padding: Int,
        at offset: UInt64?
    ) -> ImageError {
        let zeros = padding > 0 ? "\(padding) zero bytes and then " : ""
        let what = "\(input.name) has something behind \(end): \(zeros)\(SourceSignature.describe(rest))"
        let copy = "copy the archive again, and compare its checksum with the one where it came from."
        guard let offset else {
            return ImageError(.badArchive, what, hint: "If it should not be there, \(copy)")
        }
        let first = "    head -c \(offset) \(input.archive) | p9serve import - DIR\n"
        return ImageError(
            .badArchive,
            "\(what), at byte \(offset)",
            hint: CompressedFormat(rest) != nil
                ? "If these are two archives, import one of them:\n\(first)"
                    + "    tail -c +\(offset + 1) \(input.archive) | p9serve import - DIR"
                : "If it does not belong to the archive, leave it out:\n\(first)If it should not be there, \(copy)"
        )
    }
}
