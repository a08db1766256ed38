/// Moves a directory entry, over an existing one if there is one.
///
/// `olddirfid[4] oldname[s] newdirfid[4] newname[s]`
public struct Trenameat: Message, ~Escapable {
    /// Where the name is.
    public var oldDirectory: Fid
    /// The name to move.
    public var oldName: RawSpan
    /// Where it goes.
    public var newDirectory: Fid
    /// The new name.
    public var newName: RawSpan

    /// Takes the fields in their order on the wire.
    @_lifetime(copy oldName, copy newName)
    public init(oldDirectory: Fid, oldName: RawSpan, newDirectory: Fid, newName: RawSpan) {
        self.oldDirectory = oldDirectory
        self.oldName = oldName
        self.newDirectory = newDirectory
        self.newName = newName
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        oldDirectory = try reader.fid()
        oldName = try reader.string()
        newDirectory = try reader.fid()
        newName = try reader.string()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard oldName.byteCount <= UInt16.max else { throw .limitExceeded }
        guard newName.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.trenameat, tag, bodySize: 12 + oldName.byteCount + newName.byteCount)
        frame.put(oldDirectory)
        frame.put(string: oldName)
        frame.put(newDirectory)
        frame.put(string: newName)
    }
}
