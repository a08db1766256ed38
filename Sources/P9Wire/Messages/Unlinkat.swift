/// Removes a directory entry.
///
/// `dirfd[4] name[s] flags[4]`
public struct Tunlinkat: Message, ~Escapable {
    /// Where the name is.
    public var directory: Fid
    /// The name to remove.
    public var name: RawSpan
    /// AT_REMOVEDIR 0x200 for a directory.
    public var flags: UInt32

    /// Takes the fields in their order on the wire.
    @_lifetime(copy name)
    public init(directory: Fid, name: RawSpan, flags: UInt32) {
        self.directory = directory
        self.name = name
        self.flags = flags
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        directory = try reader.fid()
        name = try reader.string()
        flags = try reader.u32()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard name.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.tunlinkat, tag, bodySize: 10 + name.byteCount)
        frame.put(directory)
        frame.put(string: name)
        frame.put(flags)
    }
}
