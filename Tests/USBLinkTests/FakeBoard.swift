import P9Wire
import USBHost

@testable import USBLink

/// A board and the bus to it, without USB: plays a script on a clock of its own, and checks every step of the host.
///
/// The script goes on while the host waits for events; a minute of patience takes no time. What the host may never do is in
/// `violations`.
final class FakeBoard: BulkTransport {
    enum Step: CustomStringConvertible {
        /// A whole message, or bytes that claim to be one, ended as a gadget ends it.
        case send([UInt8])
        /// The beginning of a message, without its end.
        case begin([UInt8])
        /// Takes the reply that is on its way, or the next one.
        case take
        /// Takes some bytes of a reply, and leaves the rest.
        case sip(Int)
        /// The transfer of the reply ends so, now or when there is one, with some bytes taken.
        case endReply(TransferOutcome, taken: Int)
        /// The transfer that waits for a request ends so.
        case endRequest(TransferOutcome)
        /// Time passes, in milliseconds.
        case pass(Int)
        /// The next submission in this direction fails.
        case refuse(Direction, USBError)
        /// When the host cancels its wait for a request, these bytes have just come; the transfer ends so.
        case onCancel([UInt8], TransferOutcome)
        /// Somebody asks the link to stop.
        case stop
        /// The cable is pulled. Transfers in flight end with I/O errors; `isGone` is true after this many milliseconds.
        case unplug(noticedAfter: Int)
        /// The board mounts: SET_INTERFACE is taken.
        case mount
        /// The endpoints are shut down, and SET_INTERFACE stalls.
        case unmount

        /// Without all bytes of a message.
        var description: String {
            func text(_ bytes: [UInt8]) -> String { "\(bytes.prefix(7))... of \(bytes.count) bytes" }
            return switch self {
            case .send(let bytes): "send \(text(bytes))"
            case .begin(let bytes): "begin \(text(bytes))"
            case .take: "take"
            case .sip(let count): "sip \(count)"
            case .endReply(let outcome, let taken): "end reply \(outcome) \(taken)"
            case .endRequest(let outcome): "end request \(outcome)"
            case .pass(let milliseconds): "pass \(milliseconds)"
            case .refuse(let direction, let error): "refuse \(direction): \(error)"
            case .onCancel(let bytes, let outcome): "on cancel \(text(bytes)) \(outcome)"
            case .stop: "stop"
            case .unplug(let milliseconds): "unplug \(milliseconds)"
            case .mount: "mount"
            case .unmount: "unmount"
            }
        }
    }

    enum Direction {
        case requests
        case replies
    }

    private(set) var violations: [String] = []
    /// The replies that the board has taken as a whole.
    private(set) var replies: [[UInt8]] = []
    /// How the replies ended: whether a zero-length packet was sent after them.
    private(set) var zeroLengthPackets: [Bool] = []
    /// What was sent on the control endpoint: settings selected, and -1 for an interface given back and claimed anew.
    private(set) var control: [Int] = []
    /// Sizes of the buffers that IN transfers had.
    private(set) var readSizes: [Int] = []

    let packet = 512
    private var script: ArraySlice<Step>
    private let stop: StopRequest
    private let followsMounts: Bool
    private let start = ContinuousClock.now
    private(set) var now: ContinuousClock.Instant
    private var goneAt: ContinuousClock.Instant?
    private var isMounted: Bool
    private var isInterrupted = false
    private var transfers: [Transfer] = []
    private var refusals: [Direction: [USBError]] = [:]
    private var cancelRace: (bytes: [UInt8], outcome: TransferOutcome)?
    /// What the board has sent and no transfer has brought: bytes, and whether the message ends there.
    private var sent: [(bytes: ArraySlice<UInt8>, ends: Bool)] = []
    /// The bytes of a message whose end is still to come.
    private var arriving: [UInt8] = []
    /// Messages that are owed a reply.
    private var owed: [[UInt8]] = []
    /// Whether the host may send nothing any more, for a reply has ended badly.
    private var isBroken = false
    private var msize = 0
    private var idleWaits = 0

    /// - Parameter followsMounts: whether the pair is in alternate setting 1; it is not mounted then before `.mount`.
    init(_ script: [Step], stop: StopRequest, followsMounts: Bool = false) {
        self.script = script[...]
        self.stop = stop
        self.followsMounts = followsMounts
        isMounted = !followsMounts
        now = start
    }

    /// Milliseconds that have passed for the board.
    var elapsed: Int { Int((now - start) / .milliseconds(1)) }

    private func violate(_ what: String) { violations.append(what) }

    // MARK: The transport

    final class Transfer: BulkTransfer {
        fileprivate unowned let board: FakeBoard
        fileprivate let direction: Direction
        fileprivate(set) var buffer: UnsafeMutableRawBufferPointer
        fileprivate(set) var isInFlight = false
        fileprivate(set) var outcome = TransferOutcome.completed
        fileprivate(set) var count = 0
        fileprivate var range = 0..<0
        fileprivate var hasZeroLengthPacket = false
        /// Ended, and the host has not handled the event.
        fileprivate var hasEnded = false
        fileprivate var isCancelled = false

        fileprivate init(_ board: FakeBoard, _ direction: Direction, _ size: Int) {
            self.board = board
            self.direction = direction
            buffer = .allocate(byteCount: size, alignment: 16)
        }

        deinit {
            if isInFlight { board.violate("a transfer was freed in flight") }
            buffer.deallocate()
        }

        func submit(_ range: Range<Int>, endWithZeroLengthPacket: Bool) throws(USBError) {
            if isInFlight { board.violate("submitted twice") }
            if range.upperBound > buffer.count { board.violate("submitted beyond its buffer") }
            self.range = range
            hasZeroLengthPacket = endWithZeroLengthPacket
            try board.submitted(self)
            (isInFlight, hasEnded, isCancelled, count) = (true, false, false, 0)
            board.deliver()
        }

        func cancel() {
            guard isInFlight, !hasEnded, !isCancelled else { return }
            isCancelled = true
            board.cancelled(self)
        }

        func resize(_ bufferSize: Int, keeping: Int) {
            if isInFlight { board.violate("resized in flight") }
            let old = buffer
            buffer = .allocate(byteCount: bufferSize, alignment: 16)
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: old[..<keeping]))
            old.deallocate()
        }

        fileprivate func end(_ outcome: TransferOutcome) {
            guard isInFlight, !hasEnded else { return }
            self.outcome = outcome
            hasEnded = true
        }
    }

    func makeTransfer(endpoint: UInt8, bufferSize: Int) -> Transfer {
        let transfer = Transfer(self, endpoint & 0x80 != 0 ? .requests : .replies, bufferSize)
        transfers.append(transfer)
        return transfer
    }

    func selectAlternateSetting(_ setting: Int) throws(USBError) {
        control.append(setting)
        if !followsMounts { violate("SET_INTERFACE to a board that has one setting") }
        if transfers.contains(where: \.isInFlight) { violate("SET_INTERFACE with transfers in flight") }
        if isGone { throw .noDevice }
        guard isMounted else { throw .other }
        // The gadget begins anew and forgets what was under way.
        (arriving, owed, msize, isBroken) = ([], [], 0, false)
    }

    func reclaim() throws(USBError) {
        control.append(-1)
        if !followsMounts { violate("claimed anew, though nothing asked for it") }
        if transfers.contains(where: \.isInFlight) { violate("claimed anew with transfers in flight") }
        if isGone { throw .noDevice }
    }

    var isGone: Bool { goneAt.map { now >= $0 } ?? false }

    func interrupt() { isInterrupted = true }

    func handleEvents(milliseconds: Int) {
        if milliseconds > 0 { playOn(until: now + .milliseconds(milliseconds)) }
        isInterrupted = false
        for transfer in transfers where transfer.hasEnded {
            transfer.hasEnded = false
            transfer.isInFlight = false
            if transfer.direction == .replies { noteEnd(of: transfer) }
        }
    }

    // MARK: The script

    private func playOn(until deadline: ContinuousClock.Instant) {
        while !isInterrupted, !transfers.contains(where: \.hasEnded) {
            guard let step = script.first else {
                // All is played: the link is to stop. Who waits a hundred times after that waits for ever.
                if !stop.isRequested { return stop.request() }
                idleWaits += 1
                if idleWaits == 200 { violate("the link hangs") }
                if idleWaits >= 200 { pullCable(noticedAfter: 0) }
                now = deadline
                return
            }
            if case .pass(let milliseconds) = step {
                let end = now + .milliseconds(milliseconds)
                if end > deadline {
                    script[script.startIndex] = .pass(Int((end - deadline) / .milliseconds(1)))
                    now = deadline
                    return
                }
                now = end
                script.removeFirst()
                continue
            }
            guard perform(step) else {
                now = deadline
                idleWaits += 1
                if idleWaits == 2000 { violate("the link hangs, before \(step)") }
                if idleWaits >= 2000 { pullCable(noticedAfter: 0) }
                return
            }
            script.removeFirst()
        }
    }

    /// - Returns: false if the step's time has not come.
    private func perform(_ step: Step) -> Bool {
        switch step {
        case .send(let bytes):
            sent.append((bytes[...], true))
            deliver()
        case .begin(let bytes):
            // A part that does not fill its packets would be the end.
            sent.append((bytes.prefix(bytes.count / packet * packet), false))
            deliver()
        case .take:
            guard let reply = inFlight(.replies) else { return isSilent }
            reply.count = reply.range.count
            reply.end(.completed)
        case .sip(let count):
            guard let reply = inFlight(.replies) else { return isSilent }
            reply.count = min(count, reply.range.count)
        case .endReply(let outcome, let taken):
            guard let reply = inFlight(.replies) else { return isSilent }
            reply.count = min(taken, reply.range.count)
            reply.end(outcome)
        case .endRequest(let outcome):
            inFlight(.requests)?.end(outcome)
            if outcome == .completed { endMessage() }
        case .refuse(let direction, let error):
            refusals[direction, default: []].append(error)
        case .onCancel(let bytes, let outcome):
            cancelRace = (bytes, outcome)
        case .stop:
            stop.request()
        case .unplug(let milliseconds):
            pullCable(noticedAfter: milliseconds)
        case .mount:
            isMounted = true
        case .unmount:
            isMounted = false
            (sent, arriving, owed) = ([], [], [])
            for transfer in transfers { transfer.end(.failed) }
        case .pass:
            break
        }
        return true
    }

    /// Whether there will be no reply.
    private var isSilent: Bool { goneAt != nil || !isMounted || owed.isEmpty && sent.isEmpty }

    private func pullCable(noticedAfter milliseconds: Int) {
        goneAt = now + .milliseconds(milliseconds)
        for transfer in transfers { transfer.end(milliseconds == 0 ? .gone : .failed) }
    }

    private func inFlight(_ direction: Direction) -> Transfer? {
        transfers.first { $0.direction == direction && $0.isInFlight && !$0.hasEnded }
    }

    // MARK: What the board sees of the host

    private func submitted(_ transfer: Transfer) throws(USBError) {
        if isGone { throw .noDevice }
        if let error = refusals[transfer.direction]?.first {
            refusals[transfer.direction]?.removeFirst()
            throw error
        }
        guard isMounted, goneAt == nil else { throw .inputOutput }
        if inFlight(transfer.direction) != nil { violate("two \(transfer.direction) at once") }
        switch transfer.direction {
        case .requests:
            if transfer.range.isEmpty || transfer.range.count % packet != 0 { violate("reads half a packet") }
            readSizes.append(transfer.range.count)
        case .replies:
            check(transfer)
        }
    }

    /// Exactly one valid reply to each message, and none after one that was lost.
    private func check(_ transfer: Transfer) {
        let frame = Array(transfer.buffer[transfer.range])
        let text = "reply \(frame.prefix(16)) of \(frame.count) bytes"
        if isBroken { violate("\(text) after one that was lost") }
        if transfer.range.lowerBound != 0 { violate("\(text) from the middle of the buffer") }
        if transfer.hasZeroLengthPacket != (frame.count % packet == 0) { violate("\(text): zero-length packet") }
        let tag = frame[5...6]
        let indices = owed.indices.filter { owed[$0].count >= 7 && owed[$0][5...6].elementsEqual(tag) }
        // Of two requests with one tag, a board that gives requests up wants the later one's reply.
        guard let header = FrameHeader(decoding: frame.span.bytes),
            let index = followsMounts ? indices.last : indices.first
        else { return violate("\(text) to nothing") }
        let request = owed[index]
        for index in (followsMounts ? indices : [index]).reversed() { owed.remove(at: index) }
        let isWhole = FrameHeader(decoding: request.span.bytes).map { Int($0.size) == request.count } ?? false
        if isWhole {
            let accepts = ReplyRules(request: request.span.bytes, limit: max(msize, 4096))?.accepts(frame.span.bytes)
            if accepts != true { violate("\(text) to \(request.prefix(16))") }
        } else if header.type != MessageType.rlerror.rawValue || frame.count != 11 {
            violate("\(text) to something that is not a message")
        }
        if request.count > 4, request[4] == MessageType.tversion.rawValue { msize = 0 }
        if header.type == MessageType.rversion.rawValue {
            msize = frame[7...10].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
    }

    private func noteEnd(of reply: Transfer) {
        if reply.outcome == .completed, reply.count == reply.range.count {
            replies.append(Array(reply.buffer[reply.range]))
            zeroLengthPackets.append(reply.hasZeroLengthPacket)
        } else if !(followsMounts && reply.outcome == .cancelled && reply.count == 0) {
            isBroken = true
        }
    }

    /// Bytes go to the transfer that waits for them, as a host controller has it.
    private func deliver() {
        while let transfer = inFlight(.requests), let (bytes, ends) = sent.first {
            let room = transfer.range.count - transfer.count
            let part = bytes.prefix(room)
            let target = transfer.range.lowerBound + transfer.count
            UnsafeMutableRawBufferPointer(rebasing: transfer.buffer[target...]).copyBytes(from: part)
            transfer.count += part.count
            arriving += part
            let isAll = part.count == bytes.count
            // A packet that ends the message is a short one: it does not come where the transfer is full.
            if isAll, ends, part.count < room {
                sent.removeFirst()
                transfer.end(.completed)
                endMessage()
            } else {
                sent[0].bytes = bytes.dropFirst(part.count)
                // A message that fills its packets is known by its size, before the packet of no bytes.
                if isAll, !ends { sent.removeFirst() }
                if transfer.count < transfer.range.count { continue }
                transfer.end(.completed)
                // A message longer than the buffer is known by its size too.
                let isWhole = arriving.count == claimedSize && isAll && ends
                let isDrained = arriving.count >= claimedSize ?? .max && claimedSize ?? 0 > transfer.range.upperBound
                if isWhole || isDrained { endMessage() }
            }
        }
    }

    /// What the arriving message says its size is.
    private var claimedSize: Int? {
        let bytes = arriving
        return FrameHeader(decoding: bytes.span.bytes).map { Int($0.size) }
    }

    private func endMessage() {
        if !arriving.isEmpty { owed.append(arriving) }
        arriving = []
    }

    private func cancelled(_ transfer: Transfer) {
        var outcome = TransferOutcome.cancelled
        if transfer.direction == .requests, let race = cancelRace {
            cancelRace = nil
            outcome = race.outcome
            sent.append((race.bytes[...], outcome == .completed))
            deliver()
        }
        transfer.end(outcome)
        // A short packet is an end, and a message of whole packets is known by its size.
        let isShort = transfer.count % packet != 0
        if transfer.direction == .requests, isShort || arriving.count == claimedSize { endMessage() }
    }
}
