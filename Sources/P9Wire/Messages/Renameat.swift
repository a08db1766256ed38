/// Moves a directory entry, over an existing one if there is one.
///
/// `olddirfid[4] oldname[s] newdirfid[4] newname[s]`
public struct Trenameat: Message, ~Escapable {
    public var oldDirectory: Fid
    public var oldName: RawSpan
    public var newDirectory: Fid
    public var newName: RawSpan

    @_lifetime(copy oldName, copy newName)
    public init(oldDirectory: Fid, oldName: RawSpan, newDirectory: Fid, newName: RawSpan) {
        self.oldDirectory = oldDirectory
        self.oldName = oldName
        self.newDirectory = newDirectory
        self.newName = newName
    }

    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        oldDirectory = try reader.fid()
        oldName = try reader.string()
        newDirectory = try reader.fid()
        newName = try reader.string()
        try reader.finish()
    }

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
