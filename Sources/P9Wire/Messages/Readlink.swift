/// The target of a symbolic link.
///
/// `target[s]`
public struct Rreadlink: Message, ~Escapable {
    public var target: RawSpan

    @_lifetime(copy target)
    public init(target: RawSpan) {
        self.target = target
    }

    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        target = try reader.string()
        try reader.finish()
    }

    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard target.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.rreadlink, tag, bodySize: 2 + target.byteCount)
        frame.put(string: target)
    }
}
