/// Turns `fid` into one that takes an attribute's value by Twrite and stores it at Tclunk.
///
/// `fid[4] name[s] attr_size[8] flags[4]`
public struct Txattrcreate: Message, ~Escapable {
    /// The file; afterwards the fid takes the value.
    public var fid: Fid
    /// The name of the attribute.
    public var name: RawSpan
    /// The size of the value, in bytes. 0 with XATTR_REPLACE removes the attribute.
    public var size: UInt64
    /// As in `setxattr(2)`: XATTR_CREATE 1, XATTR_REPLACE 2.
    public var flags: UInt32

    /// Takes the fields in their order on the wire.
    @_lifetime(copy name)
    public init(fid: Fid, name: RawSpan, size: UInt64, flags: UInt32) {
        self.fid = fid
        self.name = name
        self.size = size
        self.flags = flags
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        name = try reader.string()
        size = try reader.u64()
        flags = try reader.u32()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard name.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.txattrcreate, tag, bodySize: 18 + name.byteCount)
        frame.put(fid)
        frame.put(string: name)
        frame.put(size)
        frame.put(flags)
    }
}
