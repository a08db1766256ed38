/// Appends the fields of one message; `begin` has made sure that there is room for all of them.
extension OutputRawSpan {
    /// Writes the header of a message whose body has `bodySize` bytes.
    /// - Throws: `WireError.noRoom`, with nothing written.
    @_lifetime(self: copy self)
    mutating func begin(_ type: MessageType, _ tag: Tag, bodySize: Int) throws(WireError) {
        let size = FrameHeader.size + bodySize
        guard freeCapacity >= size else { throw .noRoom }
        put(UInt32(size))
        put(type.rawValue)
        put(tag.rawValue)
    }

    @inline(__always)
    @_lifetime(self: copy self)
    mutating func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
        append(value.littleEndian, as: Value.self)
    }

    @_lifetime(self: copy self)
    mutating func put(_ fid: Fid) {
        put(fid.rawValue)
    }

    @_lifetime(self: copy self)
    mutating func put(_ qid: Qid) {
        put(qid.kind.rawValue)
        put(qid.version)
        put(qid.path)
    }

    /// Bytes without a length.
    @_lifetime(self: copy self)
    mutating func put(bytes: RawSpan) {
        // Safe: append checks the room, and memory that both spans own can't overlap.
        withUnsafeMutableBytes { buffer, initialized in
            unsafe bytes.withUnsafeBytes { source in
                guard source.count > 0 else { return }
                unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[initialized...]).copyMemory(from: source)
                initialized += source.count
            }
        }
    }

    /// A string: `length[2]`, then the bytes. The caller has checked that it has at most 65,535 bytes.
    @_lifetime(self: copy self)
    mutating func put(string: RawSpan) {
        put(UInt16(string.byteCount))
        put(bytes: string)
    }
}
