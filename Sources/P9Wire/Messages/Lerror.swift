/// The reply to any request that failed.
///
/// `ecode[4]`
public struct Rlerror: Message, Hashable, Sendable {
    /// A Linux errno, 1...4095; the Linux client takes 0 for success.
    public var ecode: UInt32

    /// Takes the fields in their order on the wire.
    public init(ecode: UInt32) {
        self.ecode = ecode
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        ecode = try reader.u32()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.rlerror, tag, bodySize: 4)
        frame.put(ecode)
    }
}
