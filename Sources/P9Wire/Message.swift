/// A 9P2000.L message that can be written.
///
/// Each also has `init(decoding:)`, which takes the body after the header and refuses missing and trailing bytes.
public protocol Message: ~Escapable {
    /// Appends the whole frame, header included.
    /// - Throws: `WireError.noRoom` or `.limitExceeded`, with nothing written.
    @_lifetime(frame: copy frame)
    func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError)
}
