import BoardLink
import CBoard
import P9Wire

/// Carries messages between the kernel's client and the host for one mount, in a process of its own with three threads: one for
/// each direction, and one for what must be sent again. So a lone request and its reply pass one thread each.
///
/// Locks, in the order they are taken: wire (the IN endpoint), table, client (the socket).
struct Carrier {
    let shared: Shared
    let log: Log
    /// The endpoints: IN is to the host.
    let input: Int32
    let output: Int32
    /// The kernel's client.
    let client: Int32
}

/// The carrier of this process, for its threads.
nonisolated(unsafe) private var current: Carrier?
/// The `generation` that a fence was sent in, or that needed none. Belongs to the thread that sends again.
nonisolated(unsafe) private var fenced: UInt32 = 0
/// The most bytes that the kernel had memory for in one piece. Under the lock of the wire.
nonisolated(unsafe) private var largestPiece = 0

extension Carrier {
    /// Works until the client has gone; does not return.
    func run() -> Never {
        // What the last one, or the last client, has left is not known to be answered.
        shared.set(.doubt, 1)
        fenced = shared[.generation]
        current = self
        largestPiece = largestFirstPiece
        // Replies are taken from the first moment on: a host that waits to give one reads nothing.
        board_lock(Int32(BOARD_LOCK_WIRE))
        guard board_start_thread({ current?.carryReplies() }) == 0, board_start_thread({ current?.sendAgain() }) == 0
        else {
            log.say("no threads: no memory")
            board_exit(1)
        }
        // Ends a message that another carrier has sent a part of: the host refuses it. Does nothing where there is none.
        if shared[.enabled] != 0 { _ = board_write(input, nil, 0) }
        board_unlock(Int32(BOARD_LOCK_WIRE))
        carryRequests()
    }

    /// Bytes of a transfer's pieces as long as the kernel has memory for them: it takes that much in one piece. Small messages are a
    /// sign of a board with little memory, where more than eight pages in one piece may be missing.
    private var largestFirstPiece: Int { shared.msize > 64 << 10 ? shared.msize & ~1023 : 32 << 10 }

    // MARK: From the client to the host

    private func carryRequests() -> Never {
        while true {
            let size = receiveMessage()
            board_lock(Int32(BOARD_LOCK_TABLE))
            let incoming = shared.incoming
            MessageTable.limitVersion(UnsafeMutableRawBufferPointer(start: incoming, count: size), msize: shared.msize)
            let message = UnsafeRawBufferPointer(start: incoming, count: size)
            var place = shared.table.freePlace(for: message[4])
            while place == nil {
                board_wait_for_room()
                place = shared.table.freePlace(for: message[4])
            }
            guard let place else { fatal("no place") }
            shared.increment(.changing)
            let taken = shared.table.take(message.bytes, at: place)
            if taken == .send { shared.exchangeBuffers(place) }
            // What came behind the message begins the next one.
            let rest = Int(shared[.received]) - size
            if rest > 0 {
                shared.incoming.copyMemory(from: incoming + size, byteCount: rest)
            } else {
                // A successor can tell by this whether bytes were received that nobody has counted.
                shared.incoming.storeBytes(of: 0, as: UInt32.self)
            }
            shared.set(.received, UInt32(rest))
            if taken != .send { shared.increment(.delivering) }
            shared.decrement(.changing)
            board_unlock(Int32(BOARD_LOCK_TABLE))
            switch taken {
            case .send: send(place)
            case .flushed(let tag): answerFlush(tag)
            case .malformed: fatal("the kernel's client has sent what is not a 9P message")
            }
        }
    }

    /// Waits for a whole message.
    /// - Returns: its size in bytes.
    private func receiveMessage() -> Int {
        let incoming = shared.incoming
        var count = Int(shared[.received])
        while true {
            let start = UnsafeRawBufferPointer(start: incoming, count: count)
            if let header = FrameHeader(decoding: start.bytes) {
                let size = Int(header.size)
                guard size >= FrameHeader.size, size <= shared.msize else {
                    fatal("a message of the kernel's client is longer than --msize")
                }
                if count >= size { return size }
            }
            // The first word tells nothing in the middle of a message: there the wait is apart from the receiving, which takes no time.
            let isInMiddle = count > 0
            if isInMiddle {
                board_wait_for_bytes(client)
                shared.increment(.changing)
            }
            let received = board_receive(client, incoming + count, shared.msize - count)
            if received > 0 {
                count += received
                shared.set(.received, UInt32(count))
            }
            if isInMiddle { shared.decrement(.changing) }
            guard received > 0 || received == -4 else { end() }  // EINTR
        }
    }

    /// Sends a message, for the first time or again.
    private func send(_ place: Int) {
        board_lock(Int32(BOARD_LOCK_WIRE))
        board_lock(Int32(BOARD_LOCK_TABLE))
        let size = shared.table.willSend(place)
        board_unlock(Int32(BOARD_LOCK_TABLE))
        if let size { write(UnsafeRawBufferPointer(start: shared.message(place), count: size)) }
        board_unlock(Int32(BOARD_LOCK_WIRE))
    }

    /// Makes one USB transfer of a message. Where there is no memory for a large one, pieces of whole packets make it.
    private func write(_ message: UnsafeRawBufferPointer) {
        let generation = shared[.generation]
        var done = 0
        while done < message.count {
            // The rest of a message is none by itself: after an interruption it must not be sent.
            if done > 0, shared[.generation] != generation || shared[.enabled] == 0 { return doubt() }
            let written = board_write(input, message.baseAddress! + done, min(largestPiece, message.count - done))
            if written == -12, min(largestPiece, message.count - done) > 4096 {  // ENOMEM
                largestPiece = max(4096, (min(largestPiece, message.count - done) / 2) & ~1023)
                continue
            }
            guard written > 0 else {
                // Ends the transfer where the host is still there: else the next message would be a part of it.
                if written == -12 || written == -4 { _ = board_write(input, nil, 0) }  // ENOMEM, EINTR
                return doubt()
            }
            done += written
        }
        // The host's transfer ends with a packet that is not full.
        let packetSize = board_packet_size(input)
        guard packetSize > 0, message.count % Int(packetSize) == 0 else { return }
        if board_write(input, nil, 0) < 0 { doubt() }
    }

    /// Something could not be sent, and it is unknown how much of it the host has.
    private func doubt() {
        // What fails at once must not keep a processor busy.
        board_sleep_milliseconds(10)
        shared.set(.doubt, 1)
        shared.increment(.kick)
        shared.wake(.kick)
    }

    // MARK: From the host to the client

    private func carryReplies() {
        let buffer = shared.reply
        var assembly = ReplyAssembly(limit: shared.msize)
        var largest = largestFirstPiece
        var generation = shared[.generation]
        while true {
            if shared[.generation] != generation {
                generation = shared[.generation]
                assembly.reset()
            }
            let count = assembly.count
            let size = min(largest, buffer.count - count) & ~1023
            let received = board_read(output, buffer.baseAddress! + count, size)
            if received == -12, largest > 4096 {  // ENOMEM
                largest = max(4096, (largest / 2) & ~1023)
                continue
            }
            guard received >= 0 else {
                // The host is gone, and the next read waits for it; or a reply was lost.
                assembly.reset()
                doubt()
                continue
            }
            switch assembly.add(received, isShort: received < size, in: UnsafeRawBufferPointer(buffer)) {
            case .more: break
            case .malformed: doubt()
            case .whole(let size): take(UnsafeRawBufferPointer(rebasing: buffer[..<size]))
            }
        }
    }

    private func take(_ reply: UnsafeRawBufferPointer) {
        board_lock(Int32(BOARD_LOCK_TABLE))
        shared.increment(.changing)
        let received = shared.table.receive(reply.bytes)
        switch received {
        case .reply, .replyRefused: shared.increment(.delivering)
        case .fence, .dropped: break
        }
        shared.decrement(.changing)
        // Also for a reply that nobody wants: its place is free.
        board_signal_room()
        board_unlock(Int32(BOARD_LOCK_TABLE))
        switch received {
        case .reply: deliver(reply)
        case .replyRefused(let tag): answerError(tag)
        case .fence(let order): failLost(upTo: order)
        case .dropped: break
        }
    }

    private func failLost(upTo order: UInt64) {
        while true {
            board_lock(Int32(BOARD_LOCK_TABLE))
            shared.increment(.changing)
            let lost = shared.table.takeLost(upTo: order)
            if lost != nil { shared.increment(.delivering) }
            shared.decrement(.changing)
            board_signal_room()
            board_unlock(Int32(BOARD_LOCK_TABLE))
            guard let lost else { break }
            answerError(lost)
        }
        shared.increment(.kick)
        shared.wake(.kick)
    }

    private func answerError(_ tag: Tag) {
        withUnsafeTemporaryAllocation(byteCount: ReplyRules.errorSize, alignment: 8) { buffer in
            _ = ReplyRules.writeError(5, tag: tag, into: buffer)  // EIO
            deliver(UnsafeRawBufferPointer(buffer))
        }
    }

    private func answerFlush(_ tag: Tag) {
        withUnsafeTemporaryAllocation(byteCount: FrameHeader.size, alignment: 8) { buffer in
            var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
            try? EmptyReply(.rflush).encode(tag: tag, into: &output)
            _ = output.finalize(for: buffer)
            deliver(UnsafeRawBufferPointer(buffer))
        }
        board_lock(Int32(BOARD_LOCK_TABLE))
        board_signal_room()
        board_unlock(Int32(BOARD_LOCK_TABLE))
    }

    /// Gives a reply to the client. `delivering` counts it already: since its message left the table.
    private func deliver(_ reply: UnsafeRawBufferPointer) {
        board_lock(Int32(BOARD_LOCK_CLIENT))
        var done = 0
        while done < reply.count {
            let sent = board_send(client, reply.baseAddress! + done, reply.count - done)
            if sent == -4 { continue }  // EINTR
            // The client has gone: the other thread sees it too.
            guard sent > 0 else { break }
            done += sent
        }
        shared.decrement(.delivering)
        board_unlock(Int32(BOARD_LOCK_CLIENT))
    }

    // MARK: After an interruption

    /// Finds out what was lost each time the host comes back, and sends again what may be.
    private func sendAgain() {
        while true {
            let kick = shared[.kick]
            let generation = shared[.generation]
            if shared[.enabled] != 0 {
                if generation != fenced || shared[.doubt] != 0 {
                    fenced = generation
                    shared.set(.doubt, 0)
                    sendFence()
                }
                while let place = nextToSend() { send(place) }
            }
            if shared.sleep(.kick, while: kick, atMost: isAwaitingFence ? Self.fencePatience : 0) { continue }
            // The fence, or its answer, was lost as well.
            shared.set(.doubt, 1)
        }
    }

    /// How long a host may take to answer a fence before it gets another one, in milliseconds.
    private static var fencePatience: Int32 { 5000 }

    private var isAwaitingFence: Bool {
        board_lock(Int32(BOARD_LOCK_TABLE))
        defer { board_unlock(Int32(BOARD_LOCK_TABLE)) }
        return shared.table.isAwaitingFence
    }

    private func nextToSend() -> Int? {
        board_lock(Int32(BOARD_LOCK_TABLE))
        defer { board_unlock(Int32(BOARD_LOCK_TABLE)) }
        return shared.table.nextToSend
    }

    private func sendFence() {
        board_lock(Int32(BOARD_LOCK_WIRE))
        withUnsafeTemporaryAllocation(byteCount: MessageTable.fenceSize, alignment: 8) { buffer in
            board_lock(Int32(BOARD_LOCK_TABLE))
            let isNeeded = shared.table.isAwaitingReplies
            if isNeeded { shared.table.beginFence(into: buffer) }
            board_unlock(Int32(BOARD_LOCK_TABLE))
            if isNeeded { write(UnsafeRawBufferPointer(buffer)) }
        }
        board_unlock(Int32(BOARD_LOCK_WIRE))
    }

    // MARK: The end

    /// The client has gone. What it has asked for is answered later, or not at all, and nobody wants it.
    private func end() -> Never {
        // Nothing may be cut off in the middle.
        board_lock(Int32(BOARD_LOCK_WIRE))
        board_lock(Int32(BOARD_LOCK_TABLE))
        shared.table.abandonAll()
        shared.set(.received, 0)
        shared.set(.unmounted, 1)
        board_exit(0)
    }

    private func fatal(_ reason: StaticString) -> Never {
        log.say(reason, nil, ": the mount ends")
        end()
    }
}
