/// A cursor over the body of one message; every field's bounds are checked once, here.
struct WireReader: ~Escapable {
    private var rest: RawSpan

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) {
        rest = bytes
    }

    @inline(__always)
    @_lifetime(self: copy self)
    private mutating func load<Value: FixedWidthInteger & BitwiseCopyable>(_: Value.Type) throws(WireError) -> Value {
        let width = MemoryLayout<Value>.size
        guard rest.byteCount >= width else { throw .truncated }
        // Safe: in bounds by the line above, and every bit pattern is a value of an integer.
        let value = unsafe rest.unsafeLoadUnaligned(as: Value.self)
        rest = rest.extracting(droppingFirst: width)
        return Value(littleEndian: value)
    }

    @_lifetime(self: copy self)
    mutating func u8() throws(WireError) -> UInt8 { try load(UInt8.self) }

    @_lifetime(self: copy self)
    mutating func u16() throws(WireError) -> UInt16 { try load(UInt16.self) }

    @_lifetime(self: copy self)
    mutating func u32() throws(WireError) -> UInt32 { try load(UInt32.self) }

    @_lifetime(self: copy self)
    mutating func u64() throws(WireError) -> UInt64 { try load(UInt64.self) }

    @_lifetime(self: copy self)
    mutating func fid() throws(WireError) -> Fid { Fid(rawValue: try u32()) }

    @_lifetime(self: copy self)
    mutating func qid() throws(WireError) -> Qid {
        Qid(kind: Qid.Kind(rawValue: try u8()), version: try u32(), path: try u64())
    }

    /// The next `count` bytes.
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    mutating func bytes(_ count: Int) throws(WireError) -> RawSpan {
        guard rest.byteCount >= count else { throw .truncated }
        let bytes = rest.extracting(first: count)
        rest = rest.extracting(droppingFirst: count)
        return bytes
    }

    /// A string: `length[2]`, then that many bytes; 9P calls them UTF-8, Linux allows any byte.
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    mutating func string() throws(WireError) -> RawSpan {
        try bytes(Int(try u16()))
    }

    var isAtEnd: Bool { rest.isEmpty }

    /// Refuses bytes after the last field.
    func finish() throws(WireError) {
        guard rest.isEmpty else { throw .trailingBytes }
    }
}
