/// The first 7 bytes of every message: `size[4] type[1] tag[2]`, little-endian; `size` counts itself.
public struct FrameHeader: Hashable, Sendable {
    /// The whole message's length in bytes, as its sender claims.
    public var size: UInt32
    /// The raw type byte; it need not be a known `MessageType`.
    public var type: UInt8
    /// The tag of the message.
    public var tag: Tag

    /// The header of a message that is to be written.
    public init(size: UInt32, type: UInt8, tag: Tag) {
        self.size = size
        self.type = type
        self.tag = tag
    }

    /// Bytes of a header.
    public static let size = 7

    /// Reads the header of a frame.
    /// - Returns: nil if there are fewer than 7 bytes. The caller checks whether `size` is plausible.
    public init?(decoding frame: RawSpan) {
        guard frame.byteCount >= Self.size else { return nil }
        var reader = WireReader(frame)
        guard let size = try? reader.u32(), let type = try? reader.u8(), let tag = try? reader.u16() else { return nil }
        self.init(size: size, type: type, tag: Tag(rawValue: tag))
    }
}
