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

    /// What a carrier ends with.
    enum End {
        /// The client has gone: it was unmounted.
        static var unmounted: Int32 { 0 }
        static var broken: Int32 { 1 }
    }
}

/// The carrier of this process, for its threads.
nonisolated(unsafe) private var current: Carrier?

extension Carrier {
    /// Works until the client has gone; does not return.
    /// - Parameter isSuccessor: whether another process has left off in the middle.
    func run(isSuccessor: Bool) -> Never {
        if isSuccessor {
            // Ends a message of which a part was sent: the host refuses it. Does nothing where there is none.
            if shared[.enabled] != 0 { _ = board_write(input, nil, 0) }
            shared.set(.doubt, 1)
        }
        current = self
        guard board_start_thread({ current?.carryReplies() }) == 0, board_start_thread({ current?.sendAgain() }) == 0
        else {
            log.say("no threads: no memory")
            board_exit(End.broken)
        }
        carryRequests()
    }

    // MARK: From the client to the host

    private func carryRequests() -> Never {
        while true {
            let size = receiveMessage()
            board_lock(Int32(BOARD_LOCK_TABLE))
            let incoming = shared.incoming
            let message = UnsafeRawBufferPointer(start: incoming, count: size)
            var place = shared.table.freePlace(for: message[4])
            while place == nil {
                board_wait_for_room()
                place = shared.table.freePlace(for: message[4])
            }
            guard let place else { fatal("no place") }
            shared.set(.changing, 1)
            let taken = shared.table.take(message.bytes, at: place)
            if taken == .send { shared.exchangeBuffers(place) }
            // What came behind the message begins the next one.
            let rest = Int(shared[.received]) - size
            if rest > 0 { shared.incoming.copyMemory(from: incoming + size, byteCount: rest) }
            shared.set(.received, UInt32(rest))
            shared.set(.changing, 0)
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
            // A successor can tell by this whether bytes were received that nobody has counted.
            if count == 0 { incoming.storeBytes(of: 0, as: UInt32.self) }
            let received = board_receive(client, incoming + count, shared.msize - count)
            if received == -4 { continue }  // EINTR
            guard received > 0 else { end() }
            count += received
            shared.set(.received, UInt32(count))
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
        var pieceSize = message.count
        var done = 0
        while done < message.count {
            let written = board_write(input, message.baseAddress! + done, min(pieceSize, message.count - done))
            if written == -12, pieceSize > 4096 {  // ENOMEM
                pieceSize = max(4096, (pieceSize / 2) & ~1023)
                continue
            }
            if written == -4 { continue }  // EINTR
            guard written > 0 else { return doubt() }
            done += written
        }
        // The host's transfer ends with a packet that is not full.
        let packetSize = board_packet_size(input)
        guard packetSize > 0, message.count % Int(packetSize) == 0 else { return }
        if board_write(input, nil, 0) < 0 { doubt() }
    }

    /// Something could not be sent, and it is unknown how much of it the host has.
    private func doubt() {
        shared.set(.doubt, 1)
        shared.increment(.kick)
        shared.wake(.kick)
    }

    // MARK: From the host to the client

    private func carryReplies() {
        let buffer = shared.reply
        var assembly = ReplyAssembly(limit: shared.msize)
        var largest = buffer.count & ~1023
        while true {
            let count = assembly.count
            let size = min(largest, buffer.count - count) & ~1023
            let received = board_read(output, buffer.baseAddress! + count, size)
            if received == -12, largest > 4096 {  // ENOMEM
                largest = max(4096, (largest / 2) & ~1023)
                continue
            }
            guard received >= 0 else {
                // The host is gone; the next read waits for it. Other errors must not keep a processor busy.
                assembly.reset()
                board_sleep_milliseconds(10)
                continue
            }
            switch assembly.add(received, isShort: received < size, in: UnsafeRawBufferPointer(buffer)) {
            case .more, .malformed: break
            case .whole(let size): take(UnsafeRawBufferPointer(rebasing: buffer[..<size]))
            }
        }
    }

    private func take(_ reply: UnsafeRawBufferPointer) {
        board_lock(Int32(BOARD_LOCK_TABLE))
        shared.set(.changing, 1)
        let received = shared.table.receive(reply.bytes)
        shared.set(.changing, 0)
        if received != .dropped { board_signal_room() }
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
            shared.set(.changing, 1)
            let lost = shared.table.takeLost(upTo: order)
            shared.set(.changing, 0)
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

    private func deliver(_ reply: UnsafeRawBufferPointer) {
        board_lock(Int32(BOARD_LOCK_CLIENT))
        shared.set(.delivering, 1)
        var done = 0
        while done < reply.count {
            let sent = board_send(client, reply.baseAddress! + done, reply.count - done)
            if sent == -4 { continue }  // EINTR
            // The client has gone: the other thread sees it too.
            guard sent > 0 else { break }
            done += sent
        }
        shared.set(.delivering, 0)
        board_unlock(Int32(BOARD_LOCK_CLIENT))
    }

    // MARK: After an interruption

    /// Finds out what was lost each time the host comes back, and sends again what may be.
    private func sendAgain() {
        var fenced = shared[.generation]
        while true {
            let kick = shared[.kick]
            let generation = shared[.generation]
            if shared[.enabled] != 0 {
                if generation != fenced || shared[.doubt] != 0 {
                    fenced = generation
                    shared.set(.doubt, 0)
                    sendFence()
                }
                while let place = nextToSendAgain() { send(place) }
            }
            shared.sleep(.kick, while: kick)
        }
    }

    private func nextToSendAgain() -> Int? {
        board_lock(Int32(BOARD_LOCK_TABLE))
        defer { board_unlock(Int32(BOARD_LOCK_TABLE)) }
        return shared.table.nextToSendAgain
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
        board_exit(End.unmounted)
    }

    private func fatal(_ reason: StaticString) -> Never {
        log.say(reason, nil, ": the mount ends")
        end()
    }
}
