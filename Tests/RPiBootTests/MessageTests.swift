import TestSupport
import Testing

@testable import RPiBoot

@Suite("Messages of the boot protocol")
struct MessageTests {
    @Test func headerHasLengthAndSignature() {
        #expect(
            BootHeader(length: 0x0001_2345).bytes
                == hex("45230100 00000000 00000000 00000000 00000000 00000000")
        )
        let signature = (1...20).map(UInt8.init)
        #expect(BootHeader(length: 1, signature: signature).bytes == [1, 0, 0, 0] + signature)
    }

    /// A message as a board sends it: 260 bytes, with what an earlier name has left behind the NUL.
    private func message(_ command: UInt8, _ name: String, rest: UInt8 = 0x55) -> [UInt8] {
        let start = [command, 0, 0, 0] + Array(name.utf8) + [0]
        return start + [UInt8](repeating: rest, count: FileMessage.size - start.count)
    }

    private func decode(_ bytes: [UInt8]) throws -> FileMessage { try FileMessage(decoding: bytes.span.bytes) }

    @Test func goldenMessages() throws {
        let size = try decode(hex("00000000 636f6e66 69672e74 787400") + [UInt8](repeating: 0, count: 245))
        #expect(size.command == .size && size.text == "config.txt")
        #expect(try decode(message(1, "overlays/dwc2.dtbo")).command == .read)
        #expect(try decode(message(1, "overlays/dwc2.dtbo")).text == "overlays/dwc2.dtbo")
        #expect(try decode(message(2, "")).command == .done)
        let longest = String(repeating: "n", count: 255)
        #expect(try decode(message(0, longest)).text == longest)
    }

    @Test func messagesThatEndEarly() throws {
        #expect(try decode(hex("00000000 6100")).text == "a")
        #expect(try decode(hex("02000000")).command == .done)
        for count in 0..<4 {
            #expect(throws: FileMessage.Malformation.truncated) { try decode([UInt8](repeating: 0, count: count)) }
        }
    }

    @Test func hostileMessages() {
        #expect(throws: FileMessage.Malformation.endlessName) {
            try decode([0, 0, 0, 0] + [UInt8](repeating: 0x61, count: 256))
        }
        #expect(throws: FileMessage.Malformation.endlessName) { try decode(hex("01000000 61")) }
        // A NUL beyond the message's end ends no name.
        #expect(throws: FileMessage.Malformation.endlessName) {
            try decode([0, 0, 0, 0] + [UInt8](repeating: 0x61, count: 256) + [0])
        }
        #expect(throws: FileMessage.Malformation.unknownCommand(3)) { try decode(message(3, "a")) }
        #expect(throws: FileMessage.Malformation.unknownCommand(-1)) {
            try decode([0xff, 0xff, 0xff, 0xff] + [UInt8](repeating: 0, count: 256))
        }
        #expect(throws: FileMessage.Malformation.unknownCommand(0x0100_0000)) { try decode(hex("00000001 6100")) }
    }

    @Test func metadata() throws {
        let message = try decode(message(0, "*MAC_ADDR*2c:cf:67:00:00:01"))
        #expect(message.metadata?.property == "MAC_ADDR" && message.metadata?.value == "2c:cf:67:00:00:01")
        for (name, property, value) in [("*", "", ""), ("*A", "A", ""), ("*A*B*C", "A", "B*C"), ("**", "", "")] {
            let metadata = try decode(self.message(1, name)).metadata
            #expect(metadata?.property == property && metadata?.value == value, "\(name)")
        }
        #expect(try decode(self.message(0, "config.txt")).metadata == nil)
    }

    @Test func confinedNames() throws {
        for name in ["a", "a/b", "..a", "a..", "...", "a//b"] {
            #expect(try decode(message(0, name)).isConfined, "\(name)")
        }
        for name in ["..", "../a", "a/..", "a/../b", "/", "/etc/passwd", "//a", "./../a"] {
            #expect(try !decode(message(0, name)).isConfined, "\(name)")
        }
    }
}
