internal import Glibc
internal import LinuxFiles

/// Waits that end when somebody says so: the kernel never holds the thread for longer than until the next look.
extension FrameSocket {
    /// Called now and then while something is waited for; throws to give up.
    public typealias Lookout = (Wait) throws(FrameSocketError) -> Void

    /// A wait that goes on.
    public struct Wait: Sendable {
        /// How long nothing has moved.
        public let silence: Duration
        /// Whether a part of the message has been received.
        public let isMidMessage: Bool
    }

    /// Sends one message. The corresponding C functions are `send` and `poll`.
    /// - Parameter milliseconds: how often to look out while it waits, whether bytes move or not.
    /// - Throws: `FrameSocketError`, and what `lookout` throws.
    public func send(_ frame: RawSpan, lookingEvery milliseconds: Int, _ lookout: Lookout) throws(FrameSocketError) {
        var pace = Pace(milliseconds)
        try send(frame, flags: CInt(MSG_DONTWAIT)) { (sent) throws(FrameSocketError) in
            pace.note(sent)
            try pace.wait(for: POLLOUT, on: descriptor.raw, isMidMessage: false, lookout)
        }
    }

    /// Receives one whole message. The corresponding C functions are `recv` and `poll`.
    /// - Parameters:
    ///   - frame: room for the largest message that is expected, 7 bytes or more.
    ///   - milliseconds: how often to look out while it waits, whether bytes move or not.
    /// - Returns: the message's size in bytes, 7 or more.
    /// - Throws: `FrameSocketError`, and what `lookout` throws.
    public func receive(
        into frame: UnsafeMutableRawBufferPointer,
        lookingEvery milliseconds: Int,
        _ lookout: Lookout
    ) throws(FrameSocketError) -> Int {
        var pace = Pace(milliseconds)
        // The reply is not there yet at the first moment, so this waits before it reads.
        try pace.wait(for: POLLIN, on: descriptor.raw, isMidMessage: false, lookout)
        return try receive(into: frame, flags: CInt(MSG_DONTWAIT)) { (received) throws(FrameSocketError) in
            pace.note(received)
            try pace.wait(for: POLLIN, on: descriptor.raw, isMidMessage: received > 0, lookout)
        }
    }

    /// When a wait is to be looked at, and since when nothing has moved.
    struct Pace {
        private let interval: Duration
        private var moved = 0
        private var lastMove = ContinuousClock.now
        private var nextLook: ContinuousClock.Instant

        init(_ milliseconds: Int) {
            interval = .milliseconds(milliseconds)
            nextLook = lastMove + interval
        }

        /// Notes how many bytes have moved so far.
        mutating func note(_ count: Int) {
            guard count != moved else { return }
            moved = count
            lastMove = .now
        }

        /// Waits until a descriptor is ready, or has failed.
        mutating func wait(
            for events: CInt,
            on descriptor: CInt,
            isMidMessage: Bool,
            _ lookout: Lookout
        ) throws(FrameSocketError) {
            while true {
                let milliseconds = try look(isMidMessage: isMidMessage, lookout)
                var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
                let count = poll(&entry, 1, milliseconds)
                if count > 0 { return }
                if count < 0, Errno.last != .EINTR { throw .system(.last) }
            }
        }

        /// Looks out if it is time.
        /// - Returns: how long to wait until it is, in milliseconds, 1 or more.
        mutating func look(isMidMessage: Bool = false, _ lookout: Lookout) throws(FrameSocketError) -> CInt {
            let now = ContinuousClock.now
            if now >= nextLook {
                nextLook = now + interval
                try lookout(Wait(silence: now - lastMove, isMidMessage: isMidMessage))
            }
            return CInt(clamping: max(1, Int(((nextLook - now) / .milliseconds(1)).rounded(.up))))
        }
    }
}
