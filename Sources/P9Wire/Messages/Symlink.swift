/// Makes a symbolic link.
///
/// `dfid[4] name[s] symtgt[s] gid[4]`
public struct Tsymlink: Message, ~Escapable {
    public var directory: Fid
    public var name: RawSpan
    public var target: RawSpan
    public var gid: UInt32

    @_lifetime(copy name, copy target)
    public init(directory: Fid, name: RawSpan, target: RawSpan, gid: UInt32) {
        self.directory = directory
        self.name = name
        self.target = target
        self.gid = gid
    }

    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        directory = try reader.fid()
        name = try reader.string()
        target = try reader.string()
        gid = try reader.u32()
        try reader.finish()
    }

    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard name.byteCount <= UInt16.max else { throw .limitExceeded }
        guard target.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.tsymlink, tag, bodySize: 12 + name.byteCount + target.byteCount)
        frame.put(directory)
        frame.put(string: name)
        frame.put(string: target)
        frame.put(gid)
    }
}
