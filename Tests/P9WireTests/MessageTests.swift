import P9Wire
import Testing
import TestSupport

@Suite("Every message, byte by byte")
struct MessageTests {
    @Test("there is a golden frame for every type")
    func coverage() {
        #expect(Set(Golden.all.map(\.type)) == Set(MessageType.allCases))
    }

    @Test("encodes to its golden frame", arguments: Golden.all)
    func encodes(golden: Golden) throws {
        #expect(try hex(golden.encoded()) == hex(golden.bytes))
    }

    @Test("decodes from its golden frame, and encodes to the same bytes", arguments: Golden.all)
    func roundTrip(golden: Golden) throws {
        #expect(golden.bytes.count == Int(golden.bytes[0]), "a golden frame's size field must be right")
        #expect(golden.bytes[4] == golden.type.rawValue)
        #expect(try hex(recoded(golden.bytes)) == hex(golden.bytes))
    }

    @Test("cut short anywhere, it is an error", arguments: Golden.all)
    func truncation(golden: Golden) {
        for length in 0..<golden.bytes.count {
            // Tfsync without datasync is what Linux before 2.6.39 sends.
            if golden.type == .tfsync, length == 11 { continue }
            #expect(throws: WireError.self, "\(length) bytes") { try recoded(Array(golden.bytes[..<length])) }
        }
    }

    @Test("bytes after the last field are an error", arguments: Golden.all)
    func trailingByte(golden: Golden) {
        // In an Rreaddir the byte could only begin another entry; by its count the message has ended before.
        #expect(throws: WireError.trailingBytes) { try recoded(golden.bytes + [0]) }
    }

    @Test("without room for all of it, nothing is written", arguments: Golden.all)
    func noRoom(golden: Golden) throws {
        for capacity in 0..<golden.bytes.count {
            // `encoded` stops the test if an error comes after bytes.
            #expect(throws: WireError.noRoom, "\(capacity) bytes") { try recoded(golden.bytes, capacity: capacity) }
        }
        #expect(try recoded(golden.bytes, capacity: golden.bytes.count) == golden.bytes)
    }

    @Test(
        "a random body never crashes the decoder, and what it takes it gives back",
        .disabled(if: isQuick, "it takes seconds"),
        arguments: MessageType.allCases
    )
    func randomBodies(type: MessageType) throws {
        var random = SplitMix(seed: UInt64(type.rawValue))
        for _ in 0..<2000 {
            let body = (0..<Int.random(in: 0...80, using: &random)).map { _ in
                // Small numbers make plausible lengths.
                UInt8.random(in: Bool.random(using: &random) ? 0...3 : 0...255, using: &random)
            }
            let bytes = frame(type.rawValue, tag: 0x0102, body)
            guard let again = try? recoded(bytes), type != .tfsync else { continue }
            #expect(again == bytes)
        }
    }
}

/// Random numbers that are the same in every run.
private struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

@Suite("Counts and limits")
struct LimitTests {
    @Test("Twalk takes 16 names and refuses 17")
    func walkNames() throws {
        let name = wireString("n")
        let names = { (count: Int) in
            littleEndian(UInt32(1)) + littleEndian(UInt32(2)) + littleEndian(UInt16(count))
                + Array(repeating: name, count: count).flatMap { $0 }
        }
        #expect(try recoded(frame(110, tag: 1, names(16))) == frame(110, tag: 1, names(16)))
        #expect(throws: WireError.limitExceeded) { try recoded(frame(110, tag: 1, names(17))) }
        let many = Array(repeating: name, count: 17).flatMap { $0 }
        #expect(throws: WireError.limitExceeded) { _ = try WalkNames(count: 17, encoded: many.span.bytes).count }
        #expect(throws: WireError.trailingBytes) { _ = try WalkNames(count: 16, encoded: many.span.bytes).count }
        #expect(throws: WireError.truncated) { _ = try WalkNames(count: 1, encoded: [UInt8]().span.bytes).count }
    }

    @Test("Rwalk takes 16 qids and refuses 17")
    func walkQids() throws {
        let qids = { (count: Int) in littleEndian(UInt16(count)) + [UInt8](repeating: 1, count: 13 * count) }
        #expect(try recoded(frame(111, tag: 1, qids(16))) == frame(111, tag: 1, qids(16)))
        #expect(throws: WireError.limitExceeded) { try recoded(frame(111, tag: 1, qids(17))) }
        #expect(throws: WireError.limitExceeded) { try recoded(frame(111, tag: 1, [0xff, 0xff])) }
    }

    @Test("a string of 65,535 bytes fits; one more can't be written")
    func longStrings() throws {
        let longest = [UInt8](repeating: 0x61, count: 65_535)
        let tooLong = longest + [0x61]
        let message = Rreadlink(target: longest.span.bytes)
        let bytes = try encoded(message, capacity: 1 << 20)
        #expect(bytes.count == 7 + 2 + 65_535)
        #expect(try recoded(bytes) == bytes)
        #expect(throws: WireError.limitExceeded) {
            _ = try encoded(Rreadlink(target: tooLong.span.bytes), capacity: 1 << 20)
        }
        #expect(throws: WireError.limitExceeded) {
            let name = Array("n".utf8)
            let request = Tsymlink(
                directory: Fid(rawValue: 1),
                name: name.span.bytes,
                target: tooLong.span.bytes,
                gid: 0
            )
            _ = try encoded(request, capacity: 1 << 20)
        }
    }

    @Test("data counts that reach past the frame are an error, up to 2^32-1")
    func dataCounts() {
        for count: UInt32 in [4, 0x7fff_ffff, 0x8000_0000, .max] {
            let read = frame(117, tag: 1, littleEndian(count) + [1, 2, 3])
            #expect(throws: WireError.truncated) { try recoded(read) }
            let write = frame(118, tag: 1, hex("01000000 0000000000000000") + littleEndian(count) + [1, 2, 3])
            #expect(throws: WireError.truncated) { try recoded(write) }
        }
    }

    @Test("an Rreaddir whose last entry is cut gives an error, not an end")
    func cutEntry() throws {
        let entry = hex("80 01020304 1112131415161718 0100000000000000 04 0100 2e")
        for length in 1..<entry.count {
            let bytes = frame(41, tag: 1, littleEndian(UInt32(entry.count + length)) + entry + entry[..<length])
            #expect(throws: WireError.truncated) { try recoded(bytes) }
        }
    }

    @Test("the longest directory entry")
    func longEntry() throws {
        let name = [UInt8](repeating: 0x61, count: 255)
        #expect(DirectoryEntry.size(nameLength: 255) == 279)
        let entry = DirectoryEntry(
            qid: Qid(kind: .file, version: 1, path: 2),
            cookie: 3,
            type: 8,
            name: name.span.bytes
        )
        for capacity in [0, 278] {
            var buffer = [UInt8](repeating: 0, count: capacity)
            buffer.withUnsafeMutableBytes { buffer in
                var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
                do throws(WireError) {
                    try entry.encode(into: &output)
                    Issue.record("279 bytes can't fit into \(capacity)")
                } catch {
                    #expect(error == .noRoom)
                }
                #expect(output.finalize(for: buffer) == 0)
            }
        }
    }

    @Test("Tfsync of Linux before 2.6.39 has no datasync")
    func oldFsync() throws {
        let body = hex("01000000")
        let request = try Tfsync(decoding: body.span.bytes)
        #expect(request == Tfsync(fid: Fid(rawValue: 1), dataOnly: 0))
    }
}

@Suite("Data written in place")
struct FillTests {
    private struct Refusal: Error {}

    private func filled(
        capacity: Int,
        limit: Int,
        _ fill: (UnsafeMutableRawBufferPointer) throws -> Int
    ) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: capacity)
        let size = try bytes.withUnsafeMutableBytes { buffer in
            var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
            var failure: (any Error)?
            do {
                try Rread.encode(tag: Tag(rawValue: 0x0102), limit: limit, into: &output, fill: fill)
            } catch {
                failure = error
            }
            let size = output.finalize(for: buffer)
            if let failure {
                #expect(size == 0, "a failed fill leaves the frame as it was")
                throw failure
            }
            return size
        }
        return Array(bytes[..<size])
    }

    @Test("the count is what was filled, not what was asked")
    func count() throws {
        let bytes = try filled(capacity: 64, limit: 10) { data in
            #expect(data.count == 10)
            data.copyBytes(from: [1, 2, 3])
            return 3
        }
        #expect(hex(bytes) == hex(hex("0e000000 75 0201  03000000 010203")))
    }

    @Test("a limit above the room is clipped to it, 2^32-1 included", arguments: [0, 1, 53, 54, Int(UInt32.max)])
    func clipping(limit: Int) throws {
        let bytes = try filled(capacity: 64, limit: limit) { data in
            #expect(data.count == min(limit, 53))
            data.initializeMemory(as: UInt8.self, repeating: 7)
            return data.count
        }
        #expect(bytes.count == 11 + min(limit, 53))
    }

    @Test("room for the header only gives an empty Rread")
    func noData() throws {
        #expect(try filled(capacity: 11, limit: 100) { $0.count } == frame(117, tag: 0x0102, [0, 0, 0, 0]))
    }

    @Test("a fill that fails leaves nothing")
    func failure() {
        #expect(throws: Refusal.self) { _ = try filled(capacity: 64, limit: 10) { _ in throw Refusal() } }
    }
}

@Suite("Types, flags and traces")
struct TypeTests {
    @Test("the reply to each request has the next number")
    func replies() {
        for type in MessageType.allCases where type.isRequest {
            #expect(type.reply?.rawValue == type.rawValue + 1)
        }
        #expect(MessageType.rlerror.reply == nil)
        #expect(!MessageType.rlerror.isRequest)
    }

    @Test("open flags are the wire's, whatever the machine's")
    func flags() {
        #expect(OpenFlags([]).reads && !OpenFlags([]).writes)
        #expect(!OpenFlags.writeOnly.reads && OpenFlags.writeOnly.writes)
        #expect(OpenFlags.readWrite.reads && OpenFlags.readWrite.writes)
        #expect(OpenFlags(rawValue: 3).reads && OpenFlags(rawValue: 3).writes)
        #expect(OpenFlags.directory.rawValue == 0x10000)
    }

    @Test("a trace names every message, and never fails", arguments: Golden.all)
    func trace(golden: Golden) {
        let text = describe(golden.bytes.span.bytes)
        #expect(text.lowercased().hasPrefix("\(golden.type) tag 258"))
        #expect(!text.contains("malformed"))
        for length in 0..<golden.bytes.count {
            #expect(!describe(Array(golden.bytes[..<length]).span.bytes).isEmpty)
        }
    }

    @Test("a trace keeps to one line, whatever a name holds")
    func traceOfControlCharacters() {
        let walk = frame(110, tag: 1, hex("01000000 02000000 0100 0400 0a1b7f ff"))
        let text = describe(walk.span.bytes)
        #expect(!text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f })
    }

    @Test("a trace shows a name as a terminal shows and never obeys it")
    func traceOfTerminalCommands() {
        let name = Array("\u{9b}31m\u{202e}a\u{2028}\"\\é\u{200d}".utf8)
        let walk = frame(110, tag: 1, hex("01000000 02000000 0100") + littleEndian(UInt16(name.count)) + name)
        #expect(describe(walk.span.bytes).hasSuffix(#"["\u{009B}31m\u{202E}a\u{2028}\"\\é"# + "\u{200d}\"]"))
    }

    @Test("a header needs 7 bytes; its size field is only a claim")
    func header() {
        let bytes = hex("ffffffff 6c 0201")
        #expect(
            FrameHeader(decoding: bytes.span.bytes)
                == FrameHeader(size: .max, type: 108, tag: Tag(rawValue: 0x0102))
        )
        for length in 0..<7 { #expect(FrameHeader(decoding: Array(bytes[..<length]).span.bytes) == nil) }
    }
}
