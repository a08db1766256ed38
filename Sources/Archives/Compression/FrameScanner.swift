internal import ImageEntries

/// Finds where the frames of zstd or lz4 end in a stream that arrives in pieces: their libraries, and libarchive, take
/// what follows for damage, or use it up.
///
/// Source: RFC 8878, section 3.1; lz4's `lz4_Frame_format.md`, whose legacy frames the kernel takes.
struct FrameScanner {
    private enum State {
        /// Between frames.
        case border
        case zstdDescriptor, zstdBlock
        case lz4Descriptor, lz4Block, lz4LegacyBlock
        /// Bytes to pass over, and what comes then.
        indirect case skip(UInt64, then: State)
        case end
        /// Not as the format has it: the decompressor says what is wrong.
        case unknown
    }

    private enum Magic {
        static let zstd: UInt32 = 0xfd2f_b528
        static let lz4: UInt32 = 0x184d_2204
        static let lz4Legacy: UInt32 = 0x184c_2102
        /// The last four bits are anything.
        static let skippable: UInt32 = 0x184d_2a50
    }

    private let format: CompressedFormat
    private var state = State.border
    private var hasContentChecksum = false
    private var hasBlockChecksum = false

    /// The largest that 8 MiB become.
    private static let lz4LegacyBlockLimit: UInt32 = 8_421_520

    init?(_ format: CompressedFormat?) {
        guard let format, format == .zstd || format == .lz4 else { return nil }
        self.format = format
    }

    /// Whether the last frame has ended.
    var isAtEnd: Bool {
        if case .end = state { return true }
        return false
    }

    /// - Parameter isLast: whether nothing comes behind these bytes.
    /// - Returns: how many of the bytes belong to the frames. If these are not all, and the end is not reached, the
    ///   others are to be given once more with what follows.
    mutating func advance(_ bytes: UnsafeRawBufferPointer, isLast: Bool) -> Int {
        var position = 0
        while position < bytes.count {
            switch state {
            case .end: return position
            case .unknown: return bytes.count
            case .skip(let count, let next):
                let step = Int(clamping: min(count, UInt64(bytes.count - position)))
                position += step
                state = count > UInt64(step) ? .skip(count - UInt64(step), then: next) : next
            default:
                let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
                guard let taken = take(rest) else {
                    // The decompressor says that it is cut short.
                    if isLast { state = .unknown }
                    return isLast ? bytes.count : position
                }
                position += taken
            }
        }
        return position
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, _ offset: Int = 0) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// Takes a field.
    /// - Returns: its size in bytes; nil if it isn't whole.
    private mutating func take(_ bytes: UnsafeRawBufferPointer) -> Int? {
        switch state {
        case .border: return takeMagic(bytes)
        case .zstdDescriptor:
            let flags = bytes[0]
            hasContentChecksum = flags & 4 != 0
            let isSingle = flags & 0x20 != 0
            let size = [isSingle ? 1 : 0, 2, 4, 8][Int(flags >> 6)]
            state = .skip(UInt64((isSingle ? 0 : 1) + [0, 1, 2, 4][Int(flags & 3)] + size), then: .zstdBlock)
            return 1
        case .zstdBlock:
            guard bytes.count >= 3 else { return nil }
            let header = UInt32(bytes[0]) | UInt32(bytes[1]) << 8 | UInt32(bytes[2]) << 16
            // A run-length block has one byte, whatever its size.
            let size = UInt64(header >> 1 & 3 == 1 ? 1 : header >> 3)
            let isLast = header & 1 != 0
            state = isLast ? .skip(size + (hasContentChecksum ? 4 : 0), then: .border) : .skip(size, then: .zstdBlock)
            return 3
        case .lz4Descriptor:
            let flags = bytes[0]
            hasBlockChecksum = flags & 0x10 != 0
            hasContentChecksum = flags & 4 != 0
            state = .skip(2 + (flags & 8 != 0 ? 8 : 0) + (flags & 1 != 0 ? 4 : 0), then: .lz4Block)
            return 1
        case .lz4Block:
            guard bytes.count >= 4 else { return nil }
            let size = UInt64(Self.number(bytes) & 0x7fff_ffff)
            state =
                size == 0
                ? .skip(hasContentChecksum ? 4 : 0, then: .border)
                : .skip(size + (hasBlockChecksum ? 4 : 0), then: .lz4Block)
            return 4
        case .lz4LegacyBlock: return takeLegacyBlock(bytes)
        case .skip, .end, .unknown: return 0
        }
    }

    private mutating func takeMagic(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= 4 else {
            // Too short for a frame.
            if bytes.allSatisfy({ $0 == 0 }) { state = .end }
            return bytes.allSatisfy { $0 == 0 } ? 0 : nil
        }
        let magic = Self.number(bytes)
        switch (magic, format) {
        case (Magic.zstd, .zstd): state = .zstdDescriptor
        case (Magic.lz4, .lz4): state = .lz4Descriptor
        case (Magic.lz4Legacy, .lz4): state = .lz4LegacyBlock
        case _ where magic & 0xffff_fff0 == Magic.skippable:
            guard bytes.count >= 8 else { return nil }
            state = .skip(UInt64(Self.number(bytes, 4)), then: .border)
            return 8
        default:
            state = .end
            return 0
        }
        return 4
    }

    /// The blocks have no end but what can't be one.
    private mutating func takeLegacyBlock(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= 4 else {
            if bytes.allSatisfy({ $0 == 0 }) { state = .end }
            return bytes.allSatisfy { $0 == 0 } ? 0 : nil
        }
        let size = Self.number(bytes)
        // gzip's magic number would be a size that can be, but one in four millions.
        guard size > 0, size <= Self.lz4LegacyBlockLimit, size & 0xff_ffff != 0x08_8b1f else {
            state = .border
            return 0
        }
        state = .skip(UInt64(size), then: .lz4LegacyBlock)
        return 4
    }
}
