/// Says that the reply to `oldTag` is no longer wanted.
///
/// `oldtag[2]`
public struct Tflush: Message, Hashable, Sendable {
    /// The tag of the request whose reply is no longer wanted.
    public var oldTag: Tag

    /// Takes the fields in their order on the wire.
    public init(oldTag: Tag) {
        self.oldTag = oldTag
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        oldTag = Tag(rawValue: try reader.u16())
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.tflush, tag, bodySize: 2)
        frame.put(oldTag.rawValue)
    }
}
