import P9Wire
import Testing
import TestSupport

/// Frames that the Linux client sent and took, caught on the wire: Fixtures/kernel-client/*.hex.
@Suite("Frames of the Linux client")
struct KernelFrameTests {
    static let fixtures = Fixture.all(in: "kernel-client")

    @Test("each decodes, and encodes to the same bytes", arguments: fixtures)
    func roundTrip(fixture: Fixture) throws {
        for bytes in fixture.frames {
            let size = bytes.prefix(4).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
            #expect(size == bytes.count)
            #expect(try hex(recoded(bytes)) == hex(bytes), "\(describe(bytes.span.bytes))")
        }
    }

    @Test("every request that Linux knows is among them", .enabled(if: !fixtures.isEmpty))
    func coverage() {
        let seen = Set(Self.fixtures.flatMap(\.frames).compactMap { MessageType(rawValue: $0[4]) })
        // Linux asks for no authentication.
        let unused: Set<MessageType> = [.tauth]
        let missing = MessageType.allCases.filter { $0.isRequest && !unused.contains($0) && !seen.contains($0) }
        #expect(missing.isEmpty)
    }
}
