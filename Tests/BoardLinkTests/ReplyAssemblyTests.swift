import BoardLink
import Testing

@Suite("Replies in pieces")
struct ReplyAssemblyTests {
    /// What an assembly makes of pieces of a stream, each asked for with `asked` bytes.
    private func outcomes(_ pieces: [[UInt8]], asked: Int = 1024) -> [ReplyAssembly.Outcome] {
        var assembly = ReplyAssembly(limit: 3000)
        var buffer = [UInt8](repeating: 0xff, count: 8192)
        return pieces.map { piece in
            buffer.replaceSubrange(assembly.count..<assembly.count + piece.count, with: piece)
            return buffer.withUnsafeBytes { assembly.add(piece.count, isShort: piece.count < asked, in: $0) }
        }
    }

    private func reply(_ size: Int) -> [UInt8] {
        [UInt8(size & 0xff), UInt8(size >> 8), 0, 0, 117, 0, 0] + [UInt8](repeating: 7, count: size - 7)
    }

    @Test("one piece")
    func whole() {
        #expect(
            outcomes([reply(7), reply(200), reply(1024), reply(9)]) == [
                .whole(7), .whole(200), .whole(1024), .whole(9),
            ]
        )
    }

    @Test("several pieces")
    func several() {
        let large = reply(2500)
        #expect(
            outcomes([Array(large[..<1024]), Array(large[1024..<2048]), Array(large[2048...])]) == [
                .more, .more, .whole(2500),
            ]
        )
    }

    @Test("an empty packet behind a full one is nothing")
    func zeroLength() {
        #expect(outcomes([reply(1024), [], reply(20)]) == [.whole(1024), .more, .whole(20)])
    }

    @Test(
        "what is no reply is skipped, and the next one is read",
        arguments: [
            [1, 2, 3],  // less than a header
            [3, 0, 0, 0, 1, 0, 0],  // a size that no message has
            [200, 0, 0, 0, 117, 0, 0],  // cut off
            [8, 0, 0, 0, 117, 0, 0, 1, 2],  // longer than it says
            [0, 16, 0, 0, 117, 0, 0],  // larger than any reply may be
        ] as [[UInt8]]
    )
    func malformed(piece: [UInt8]) {
        #expect(outcomes([piece, reply(30)]) == [.malformed, .whole(30)])
    }

    @Test("a reply that the host cuts off in a later piece")
    func cut() {
        #expect(outcomes([Array(reply(2500)[..<1024]), [1, 2], reply(30)]) == [.more, .malformed, .whole(30)])
    }
}
