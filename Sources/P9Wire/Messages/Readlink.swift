/// The target of a symbolic link.
///
/// `target[s]`
public struct Rreadlink: Message, ~Escapable {
    /// Where the link leads; any bytes.
    public var target: RawSpan

    /// Takes the fields in their order on the wire.
    @_lifetime(copy target)
    public init(target: RawSpan) {
        self.target = target
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        target = try reader.string()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard target.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.rreadlink, tag, bodySize: 2 + target.byteCount)
        frame.put(string: target)
    }
}
