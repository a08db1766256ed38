import P9Wire
import Testing
import USBHost

@testable import USBLink

/// A message's bytes.
func message(_ type: MessageType, tag: UInt16 = 1, body: [UInt8] = []) -> [UInt8] {
    littleEndian(UInt32(7 + body.count)) + [type.rawValue] + littleEndian(tag) + body
}

func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// A Tversion.
func version(msize: UInt32 = 16384) -> [UInt8] {
    message(.tversion, tag: 0xffff, body: littleEndian(msize) + littleEndian(UInt16(8)) + Array("9P2000.L".utf8))
}

/// A Tclunk: 11 bytes, and a reply of 7.
func clunk(tag: UInt16 = 1) -> [UInt8] { message(.tclunk, tag: tag, body: littleEndian(UInt32(0))) }

/// A Tread; the reply has 11 bytes more than are asked for.
func read(_ count: Int, tag: UInt16 = 1) -> [UInt8] {
    message(.tread, tag: tag, body: [UInt8](repeating: 0, count: 12) + littleEndian(UInt32(count)))
}

/// A Twrite that has `size` bytes in all.
func write(size: Int, tag: UInt16 = 1) -> [UInt8] {
    message(.twrite, tag: tag, body: [UInt8](repeating: 0, count: size - 7))
}

/// An Rlerror.
func errorReply(_ errno: UInt32, tag: UInt16 = 1) -> [UInt8] {
    message(.rlerror, tag: tag, body: littleEndian(errno))
}

/// Grants every Tversion, fills every Tread, says yes to all else.
final class Agreeable: Responder {
    /// Called with every request's type before it is answered.
    var onRequest: (UInt8) -> Void = { _ in }

    func respond(to request: RawSpan, into reply: UnsafeMutableRawBufferPointer) -> Int {
        guard let header = FrameHeader(decoding: request) else { return 0 }
        onRequest(header.type)
        let body: [UInt8]
        switch MessageType(rawValue: header.type) {
        case .tversion:
            body = (0..<request.byteCount - 7).map { request.unsafeLoad(fromByteOffset: 7 + $0, as: UInt8.self) }
        case .tread:
            let count = Int(request.unsafeLoadUnaligned(fromByteOffset: 19, as: UInt32.self))
            body = littleEndian(UInt32(count)) + [UInt8](repeating: 0xda, count: count)
        case .twrite:
            body = littleEndian(UInt32(0))
        default:
            body = []
        }
        let frame = littleEndian(UInt32(7 + body.count)) + [header.type + 1] + littleEndian(header.tag.rawValue) + body
        guard frame.count <= reply.count else { return 0 }
        reply.copyBytes(from: frame)
        return frame.count
    }
}

/// What came of a script.
struct Played {
    var end: LinkEnd
    var board: FakeBoard
    var notices: [LinkNotice]
    var statistics: LinkStatistics
    var msize: Int

    var replies: [[UInt8]] { board.replies }
}

/// Plays a script against a link, to the link's end; it is asked to stop when all is played. Whatever the script is, the
/// host must have done nothing that it may not.
func play(
    _ script: [FakeBoard.Step],
    followsMounts: Bool = false,
    msize: Int = 0,
    onRequest: @escaping (UInt8, StopRequest) -> Void = { _, _ in },
    sourceLocation: SourceLocation = #_sourceLocation
) throws -> Played {
    let stop = StopRequest()
    let board = FakeBoard(script, stop: stop, followsMounts: followsMounts)
    let setting = InterfaceSetting(
        interface: 0,
        alternateSetting: followsMounts ? 1 : 0,
        kind: InterfaceSetting.Kind(0xff, 0xff, 9),
        endpoints: [
            InterfaceSetting.Endpoint(address: 0x81, attributes: 2, packetSize: 512),
            InterfaceSetting.Endpoint(address: 0x02, attributes: 2, packetSize: 512),
        ]
    )
    let pair = try #require(BulkPair(in: Configuration(interfaces: [[setting]]), packetLimit: 512))
    let loop = try RequestLoop(board, pair, msize: msize)
    let responder = Agreeable()
    responder.onRequest = { onRequest($0, stop) }
    var notices: [LinkNotice] = []
    loop.notify = { notices.append($0) }
    let end = loop.run(answering: responder.respond, until: stop)
    #expect(board.violations == [], sourceLocation: sourceLocation)
    return Played(end: end, board: board, notices: notices, statistics: loop.statistics, msize: loop.msize)
}
