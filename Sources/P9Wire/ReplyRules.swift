/// What a reply must look like for the Linux client to take it; worked out from the request before it is executed.
///
/// Over USB a wrong reply ends everything: the gadget (`usb9pfs_rx_header` in the kernel's `net/9p/trans_usbg.c`) drops a
/// reply with an unknown tag, or one that is larger than the client has room for, and never sends a request again.
/// Dialect 9P2000.L only, so an error is an Rlerror.
public struct ReplyRules: Hashable, Sendable {
    /// The request's raw type byte; it need not be a known `MessageType`.
    public let requestType: UInt8
    /// The tag of the request, which its reply must have.
    public let tag: Tag
    /// The most bytes the client has room for, header included; 11, an Rlerror, or more.
    public let capacity: Int

    /// Bytes of an Rlerror: the header and `ecode[4]`.
    public static let errorSize = FrameHeader.size + 4

    /// The rules for the reply to one whole frame.
    ///
    /// The room is what `p9_msg_buf_size` in the kernel's `net/9p/protocol.c` reserves: Rread and Rreaddir
    /// `11 + count`, Rwalk `9 + 13 * nwname`, Rreadlink 8 KiB, all else 4 KiB. An Rlerror always fits.
    /// - Parameter limit: the most bytes any reply may have, such as the negotiated msize; 11 at least.
    /// - Returns: nil if the frame has no header.
    public init?(request: RawSpan, limit: Int) {
        guard let header = FrameHeader(decoding: request) else { return nil }
        requestType = header.type
        tag = header.tag
        let room: Int
        switch MessageType(rawValue: header.type) {
        case .tread, .treaddir:
            // fid[4] offset[8] count[4]
            let count = Self.field(UInt32.self, at: FrameHeader.size + 12, in: request)
            room = FrameHeader.size + 4 + Int(count)
        case .twalk:
            // fid[4] newfid[4] nwname[2]
            let names = Self.field(UInt16.self, at: FrameHeader.size + 8, in: request)
            room = FrameHeader.size + 2 + Int(names) * Qid.size
        case .treadlink:
            room = 8192
        default:
            room = 4096
        }
        capacity = max(min(room, limit), Self.errorSize)
    }

    /// An integer of the request, or 0 where the request ends before it.
    private static func field<Value: FixedWidthInteger & BitwiseCopyable>(
        _: Value.Type,
        at offset: Int,
        in request: RawSpan
    ) -> Value {
        guard request.byteCount >= offset + MemoryLayout<Value>.size else { return 0 }
        // Safe: in bounds by the line above, and every bit pattern is a value of an integer.
        return unsafe Value(littleEndian: request.unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// Whether these bytes are one whole reply to the request that the client will take.
    ///
    /// An Rlerror must carry an errno of 1...4095: the client takes an ecode of 0 for success.
    public func accepts(_ reply: RawSpan) -> Bool {
        guard let header = FrameHeader(decoding: reply),
            Int(header.size) == reply.byteCount, reply.byteCount <= capacity, header.tag == tag
        else { return false }
        if header.type == MessageType.rlerror.rawValue {
            guard reply.byteCount == Self.errorSize else { return false }
            return (1...4095).contains(Self.field(UInt32.self, at: FrameHeader.size, in: reply))
        }
        return header.type == requestType &+ 1 && requestType & 1 == 0
    }

    /// Writes an Rlerror with the request's tag.
    /// - Parameters:
    ///   - errno: 1...4095; anything else becomes EIO.
    ///   - reply: 11 bytes or more.
    /// - Returns: the reply's size, 11 bytes.
    public func writeError(_ errno: Int32, into reply: UnsafeMutableRawBufferPointer) -> Int {
        Self.writeError(errno, tag: tag, into: reply)
    }

    /// Writes an Rlerror for a request of which only the tag is known; otherwise as the method.
    public static func writeError(_ errno: Int32, tag: Tag, into reply: UnsafeMutableRawBufferPointer) -> Int {
        let ecode = (1...4095).contains(errno) ? UInt32(errno) : 5
        unsafe reply.storeBytes(of: UInt32(errorSize).littleEndian, toByteOffset: 0, as: UInt32.self)
        unsafe reply.storeBytes(of: MessageType.rlerror.rawValue, toByteOffset: 4, as: UInt8.self)
        unsafe reply.storeBytes(of: tag.rawValue.littleEndian, toByteOffset: 5, as: UInt16.self)
        unsafe reply.storeBytes(of: ecode.littleEndian, toByteOffset: FrameHeader.size, as: UInt32.self)
        return errorSize
    }
}
