/// The reply to any request that failed.
///
/// `ecode[4]`
public struct Rlerror: Message, Hashable, Sendable {
    /// A Linux errno, 1...4095; the Linux client takes 0 for success.
    public var ecode: UInt32

    public init(ecode: UInt32) {
        self.ecode = ecode
    }

    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        ecode = try reader.u32()
        try reader.finish()
    }

    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.rlerror, tag, bodySize: 4)
        frame.put(ecode)
    }
}
