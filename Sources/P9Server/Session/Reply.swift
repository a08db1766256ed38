internal import LinuxFiles
internal import P9Wire

/// The one reply to a request, written into the buffer that the transport sends.
struct Reply: ~Copyable, ~Escapable {
    let tag: Tag
    private var frame: OutputRawSpan

    @_lifetime(copy frame)
    init(tag: Tag, frame: consuming OutputRawSpan) {
        self.tag = tag
        self.frame = frame
    }

    /// - Throws: `EMSGSIZE` if the message is larger than msize.
    @_lifetime(self: copy self)
    mutating func send<Response: Message & ~Escapable>(_ message: borrowing Response) throws(Errno) {
        do throws(WireError) {
            try message.encode(tag: tag, into: &frame)
        } catch {
            throw .EMSGSIZE
        }
    }

    /// Sends an Rread whose data `fill` writes straight into the frame.
    @_lifetime(self: copy self)
    mutating func sendData(
        limit: UInt32,
        fill: (UnsafeMutableRawBufferPointer) throws(Errno) -> Int
    ) throws(Errno) {
        try Rread.encode(tag: tag, limit: Int(limit), into: &frame, fill: fill)
    }

    /// Sends an Rreaddir whose entries `fill` writes straight into the frame.
    @_lifetime(self: copy self)
    mutating func sendEntries(
        limit: UInt32,
        fill: (UnsafeMutableRawBufferPointer) throws(Errno) -> Int
    ) throws(Errno) {
        try Rreaddir.encode(tag: tag, limit: Int(limit), into: &frame, fill: fill)
    }

    /// Replaces what was written by this error.
    @_lifetime(self: copy self)
    mutating func fail(_ error: Errno) {
        frame.removeAll()
        // 9P has room for 32 bits, but a client takes 0 for success, and knows errnos up to 4095 only.
        let code = (1...4095).contains(error.rawValue) ? UInt32(error.rawValue) : UInt32(Errno.EIO.rawValue)
        do throws(WireError) {
            try Rlerror(ecode: code).encode(tag: tag, into: &frame)
        } catch {
            preconditionFailure("a reply buffer has room for an Rlerror")
        }
    }

    @_lifetime(copy self)
    consuming func finish() -> OutputRawSpan {
        frame
    }
}
