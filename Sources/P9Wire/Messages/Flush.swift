/// Says that the reply to `oldTag` is no longer wanted.
///
/// `oldtag[2]`
public struct Tflush: Message, Hashable, Sendable {
    public var oldTag: Tag

    public init(oldTag: Tag) {
        self.oldTag = oldTag
    }

    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        oldTag = Tag(rawValue: try reader.u16())
        try reader.finish()
    }

    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.tflush, tag, bodySize: 2)
        frame.put(oldTag.rawValue)
    }
}
