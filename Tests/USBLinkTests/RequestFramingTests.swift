import P9Wire
import Testing

@testable import USBLink

/// Feeds transfers to the framing the way a host controller ends them.
private struct Wire {
    var framing: RequestFraming
    var buffer: [UInt8]

    init(maxPacketSize: Int = 512, msize: Int = 8192) {
        let size = RequestFraming.bufferSize(msize: msize, maxPacketSize: maxPacketSize)
        framing = RequestFraming(maxPacketSize: maxPacketSize, bufferSize: size)
        buffer = [UInt8](repeating: 0xee, count: size)
    }

    /// One transfer that brings these bytes.
    mutating func transfer(_ bytes: some Collection<UInt8>, interrupted: Bool = false) -> RequestFraming.Step {
        let start = framing.offset
        buffer.replaceSubrange(start..<start + bytes.count, with: bytes)
        let buffer = self.buffer
        return framing.received(bytes.count, in: buffer.span.bytes, interrupted: interrupted)
    }

    /// What the gadget sends for a message, cut into transfers as long as the host's buffer allows.
    mutating func message(_ bytes: [UInt8]) -> [RequestFraming.Step] {
        var rest = bytes[...]
        var steps: [RequestFraming.Step] = []
        while true {
            let room = framing.bufferSize - framing.offset
            let part = rest.prefix(room)
            rest = rest.dropFirst(part.count)
            steps.append(transfer(part))
            // A full transfer does not tell the end: the short or zero-length packet comes in the next one.
            if part.count < room { return steps }
        }
    }
}

/// A frame of `size` bytes; what its size field claims may be something else.
private func frame(_ size: Int, claims: Int? = nil, tag: UInt16 = 7, type: MessageType = .twrite) -> [UInt8] {
    let claimed = UInt32(truncatingIfNeeded: claims ?? size)
    var bytes = (0..<4).map { UInt8(truncatingIfNeeded: claimed >> (8 * $0)) }
    bytes += [type.rawValue, UInt8(tag & 0xff), UInt8(tag >> 8)]
    bytes += (0..<max(0, size - bytes.count)).map { UInt8(truncatingIfNeeded: $0) }
    return Array(bytes.prefix(size))
}

private func refused(
    _ tag: UInt16?,
    _ reason: RequestFraming.Refusal.Reason,
    isEnded: Bool = true
) -> RequestFraming.Step {
    .refused(.init(tag: tag.map(Tag.init), reason: reason), isEnded: isEnded)
}

@Suite struct RequestFramingTests {
    @Test(arguments: [64, 512, 1024])
    func bufferHasRoomForOnePacketMoreThanMsize(packet: Int) {
        for msize in [4096, 8192, 16384 - 1, 16384, 16384 + 1, 131_096, 1 << 20] {
            let size = RequestFraming.bufferSize(msize: msize, maxPacketSize: packet)
            #expect(size % packet == 0)
            #expect(size > msize && size <= msize + packet)
        }
    }

    @Test(arguments: [64, 512, 1024])
    func messageOfAnySizeIsOneTransfer(packet: Int) {
        let msize = 16 * packet
        for packets in 1...16 {
            for size in [packets * packet - 1, packets * packet, packets * packet + 1] where size <= msize {
                var wire = Wire(maxPacketSize: packet, msize: msize)
                #expect(wire.message(frame(size)) == [.request(size: size, isEnded: true)])
                #expect(!wire.framing.isMidMessage)
            }
        }
    }

    @Test func smallestMessage() {
        var wire = Wire()
        #expect(wire.message(frame(7)) == [.request(size: 7, isEnded: true)])
    }

    @Test func zeroLengthTransferIsIgnored() {
        var wire = Wire()
        #expect(wire.transfer([]) == .nothing)
        #expect(wire.transfer([], interrupted: true) == .nothing)
        #expect(wire.message(frame(100)) == [.request(size: 100, isEnded: true)])
    }

    /// A board that was mounted with a larger msize writes to a fresh process.
    @Test func messageLargerThanTheBufferIsDrainedAndRefused() {
        for msize in [4096, 8192] {
            var wire = Wire(msize: msize)
            let size = wire.framing.bufferSize
            for extra in [1, 511, 512, 513, size, size + 1, 3 * size - 1, 3 * size] {
                let steps = wire.message(frame(size + extra, tag: 0x1234))
                // If the last transfer is full the refusal comes with it, and the zero-length packet comes alone.
                let isFull = (size + extra) % size == 0
                let last = steps.count - (isFull ? 2 : 1)
                #expect(steps[..<last].allSatisfy { $0 == .incomplete })
                #expect(steps[last] == refused(0x1234, .tooLong, isEnded: !isFull))
                #expect(steps[(last + 1)...].allSatisfy { $0 == .nothing })
                #expect(wire.message(frame(23)) == [.request(size: 23, isEnded: true)])
            }
        }
    }

    /// No honest board sends it, as the buffer is larger than msize; but before a Tversion anything goes.
    @Test func messageThatFillsTheBufferExactly() {
        var wire = Wire()
        let size = wire.framing.bufferSize
        #expect(wire.message(frame(size)) == [.request(size: size, isEnded: false), .nothing])
    }

    @Test func cancelledTransferIsReadOn() {
        var wire = Wire()
        let message = frame(1500)
        #expect(wire.transfer(message[..<512], interrupted: true) == .incomplete)
        #expect(wire.framing.isMidMessage)
        #expect(wire.framing.offset == 512)
        #expect(wire.transfer(message[512..<1024], interrupted: true) == .incomplete)
        #expect(wire.transfer(message[1024...]) == .request(size: 1500, isEnded: true))
        #expect(Array(wire.buffer[..<1500]) == message)
    }

    @Test func cancelledTransferWithAWholeMessage() {
        var wire = Wire()
        #expect(wire.transfer(frame(100), interrupted: true) == .request(size: 100, isEnded: true))
        // The zero-length packet may have come or not.
        #expect(wire.transfer(frame(1024), interrupted: true) == .request(size: 1024, isEnded: false))
        #expect(wire.transfer([]) == .nothing)
    }

    @Test func cancelledWhileDraining() {
        var wire = Wire()
        let message = frame(20_000, tag: 9)
        #expect(wire.transfer(message[..<8704]) == .incomplete)
        #expect(wire.transfer(message[8704..<9216], interrupted: true) == .incomplete)
        #expect(wire.transfer([], interrupted: true) == .incomplete)
        #expect(wire.transfer(message[9216..<17920]) == .incomplete)
        #expect(wire.transfer(message[17920...]) == refused(9, .tooLong))
    }

    @Test func sizeFieldThatLies() {
        var wire = Wire()
        for claim in [0, 6, 99, 101, 8192, Int(UInt32.max)] {
            #expect(wire.transfer(frame(100, claims: claim)) == refused(7, .malformed))
        }
        #expect(wire.transfer(frame(512, claims: 1024)) == refused(7, .malformed))
        #expect(wire.message(frame(30)) == [.request(size: 30, isEnded: true)])
    }

    @Test func hugeClaimIsDrainedToItsEndOnly() {
        var wire = Wire()
        #expect(wire.message(frame(8704 + 100, claims: 0xffff_ffff)) == [.incomplete, refused(7, .tooLong)])
        #expect(wire.message(frame(30)) == [.request(size: 30, isEnded: true)])
    }

    @Test func trailingBytesAcrossTransfers() {
        var wire = Wire()
        #expect(wire.message(frame(8704 + 10, claims: 50)) == [.incomplete, refused(7, .malformed)])
        #expect(wire.message(frame(30)) == [.request(size: 30, isEnded: true)])
    }

    @Test(arguments: 1...6)
    func lessThanAHeaderCantBeAnswered(count: Int) {
        var wire = Wire()
        #expect(wire.transfer(frame(count)) == refused(nil, .malformed))
        #expect(wire.message(frame(30)) == [.request(size: 30, isEnded: true)])
    }

    /// Random transfers never trap, and never yield a request whose size field disagrees.
    @Test func hostileTransfers() {
        var wire = Wire(maxPacketSize: 64, msize: 512)
        var isGood = true
        for _ in 0..<20_000 {
            let room = wire.framing.bufferSize - wire.framing.offset
            var count = Int.random(in: 0...room)
            if Bool.random() { count -= count % 64 }
            let isFrame = Bool.random()
            let bytes =
                isFrame ? frame(count, claims: .random(in: 0...1200)) : [UInt8](repeating: 0xff, count: count)
            let step = wire.transfer(bytes, interrupted: count % 64 == 0 && Bool.random())
            if case .request(let size, _) = step {
                isGood = isGood && FrameHeader(decoding: wire.buffer.span.bytes)?.size == UInt32(size)
            }
            isGood = isGood && wire.framing.offset % 64 == 0 && wire.framing.offset < wire.framing.bufferSize
        }
        #expect(isGood)
    }
}
