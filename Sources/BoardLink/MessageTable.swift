public import P9Wire

/// The messages of the board's 9P client, each kept from the client's socket until its reply has come back.
///
/// Plain memory that its owner has taken at the start, so that another process can go on with it where one has crashed. Belongs to
/// whoever holds the owner's lock; makes no system calls, allocates nothing.
///
/// A host that keeps no memory of sessions answers one request after the other, in their order. So after each interruption a
/// *fence* follows what was sent before it: a Tflush of a tag that nobody has. Once the host has answered the fence, it will answer
/// nothing that was sent before: what has no reply by then was lost, the request or its reply. It is sent again if a second
/// execution changes nothing; else the client gets `EIO`.
public struct MessageTable {
    private let counters: UnsafeMutablePointer<Counters>
    private let places: UnsafeMutableBufferPointer<Place>

    /// Takes a table as it stands.
    /// - Parameter places: one for each message that may be under way, and a last one for a Tflush only.
    public init(_ counters: UnsafeMutablePointer<Counters>, _ places: UnsafeMutableBufferPointer<Place>) {
        self.counters = counters
        self.places = places
    }

    /// Makes memory that was just taken a table without messages.
    public func initialize() {
        counters.initialize(to: Counters())
        places.initialize(repeating: Place())
    }

    /// What was counted.
    public var statistics: Counters { counters.pointee }

    // MARK: From the client

    /// Lowers the msize that a Tversion asks for: neither end has room for more.
    /// - Parameter message: any message; `size[4] type[1] tag[2] msize[4]` is looked at.
    public static func limitVersion(_ message: UnsafeMutableRawBufferPointer, msize: Int) {
        guard message.count >= FrameHeader.size + 4, message[4] == MessageType.tversion.rawValue else { return }
        let asked = UInt32(littleEndian: message.loadUnaligned(fromByteOffset: FrameHeader.size, as: UInt32.self))
        let limited = min(asked, UInt32(msize)).littleEndian
        message.storeBytes(of: limited, toByteOffset: FrameHeader.size, as: UInt32.self)
    }

    /// A free place for a message.
    /// - Parameter type: the message's type byte: a Tflush also gets the last place.
    public func freePlace(for type: UInt8) -> Int? {
        let ordinary = places.count - 1
        for index in 0..<ordinary where places[index].state == .free { return index }
        guard type == MessageType.tflush.rawValue, places[ordinary].state == .free else { return nil }
        return ordinary
    }

    /// What to do with a message that was taken.
    public enum Taken: Equatable, Sendable {
        case send
        /// A Tflush of a request that the host does not have: it is answered here, with this tag, and both are forgotten.
        case flushed(Tag)
        /// No client of the kernel sends this.
        case malformed
    }

    /// Takes a message into a free place.
    public func take(_ message: RawSpan, at index: Int) -> Taken {
        guard let header = FrameHeader(decoding: message), Int(header.size) == message.byteCount,
            let rules = ReplyRules(request: message, limit: Int(Int32.max)), !Self.isFence(header.tag),
            place(of: header.tag) == nil
        else { return .malformed }
        var place = Place()
        place.state = .waiting
        place.type = header.type
        place.tag = header.tag
        place.size = message.byteCount
        place.rules = rules
        if header.type == MessageType.tflush.rawValue {
            guard message.byteCount == FrameHeader.size + 2 else { return .malformed }
            let old = UInt16(
                littleEndian: message.unsafeLoadUnaligned(fromByteOffset: FrameHeader.size, as: UInt16.self)
            )
            place.flushes = Tag(rawValue: old)
            if let flushed = self.place(of: place.flushes), places[flushed].state == .waiting {
                places[flushed].state = .free
                return .flushed(header.tag)
            }
        }
        places[index] = place
        return .send
    }

    /// The client has gone: nobody wants its replies.
    public func abandonAll() {
        for index in places.indices {
            switch places[index].state {
            case .free, .unwanted: break
            case .waiting: places[index].state = .free
            case .sent: places[index].state = .unwanted
            }
        }
    }

    // MARK: To the host

    /// The message is about to be sent: from now on the host may have it.
    /// - Returns: its size in bytes; nil if nobody wants it any more.
    public func willSend(_ index: Int) -> Int? {
        guard places[index].state == .waiting else { return nil }
        counters.pointee.sent += 1
        places[index].order = counters.pointee.sent
        places[index].state = .sent
        return places[index].size
    }

    /// The message to send next: those that are to be sent again come first, in their order.
    public var nextToSend: Int? {
        var next: Int?
        for index in places.indices where places[index].state == .waiting {
            if let best = next, places[best].order &- 1 < places[index].order &- 1 { continue }
            next = index
        }
        return next
    }

    /// Whether the host owes the answer to a fence.
    public var isAwaitingFence: Bool { counters.pointee.fence > 0 }

    /// Whether the host owes replies.
    public var isAwaitingReplies: Bool {
        for place in places where place.state == .sent || place.state == .unwanted { return true }
        return false
    }

    /// Bytes of a fence.
    public static let fenceSize = FrameHeader.size + 2

    /// Writes a fence behind all that was sent up to now; an earlier one counts no more.
    /// - Parameter frame: `fenceSize` bytes.
    public func beginFence(into frame: UnsafeMutableRawBufferPointer) {
        counters.pointee.fences += 1
        counters.pointee.fence = counters.pointee.sent
        var output = OutputRawSpan(buffer: frame, initializedCount: 0)
        // Never fails: there is room. The tag that it flushes is the next fence's, which is not under way.
        try? Tflush(oldTag: Self.fenceTag(counters.pointee.fences + 1)).encode(
            tag: Self.fenceTag(counters.pointee.fences),
            into: &output
        )
        _ = output.finalize(for: frame)
    }

    /// The tags of fences in turn, 2048 of them: the answer to an earlier fence must not be taken for that to a later one, and a host
    /// that does not answer for long gets many. The kernel's client gives its tags from 0 on, and has some hundreds at most.
    private static func fenceTag(_ number: UInt64) -> Tag {
        Tag(rawValue: firstFenceTag | UInt16(truncatingIfNeeded: number & 0x7ff))
    }

    private static var firstFenceTag: UInt16 { 0xf000 }

    private static func isFence(_ tag: Tag) -> Bool { tag.rawValue & 0xf800 == firstFenceTag }

    // MARK: From the host

    /// What came from the host.
    public enum Received: Equatable, Sendable {
        /// A reply that its client waits for; its place is free now.
        case reply
        /// A reply that the client would not take, or would end its mount for: it gets an Rlerror with this tag instead.
        case replyRefused(Tag)
        /// The answer to a fence: ask `takeLost` for what has no reply up to this message.
        case fence(upTo: UInt64)
        /// Nobody waits for it.
        case dropped
    }

    /// Takes a whole reply.
    public func receive(_ reply: RawSpan) -> Received {
        guard let header = FrameHeader(decoding: reply), Int(header.size) == reply.byteCount else { return drop() }
        if counters.pointee.fence > 0, header.tag == Self.fenceTag(counters.pointee.fences) {
            defer { counters.pointee.fence = 0 }
            return .fence(upTo: counters.pointee.fence)
        }
        guard let index = sentPlace(of: header.tag), let rules = places[index].rules else { return drop() }
        let place = places[index]
        places[index].state = .free
        guard place.state == .sent else { return drop() }
        guard rules.accepts(reply) else {
            counters.pointee.repliesDropped += 1
            return .replyRefused(place.tag)
        }
        settle(place)
        return .reply
    }

    /// The replies that a reply makes void.
    private func settle(_ place: Place) {
        switch MessageType(rawValue: place.type) {
        case .tflush:
            // The request was answered before this, or is not answered any more.
            if let flushed = self.place(of: place.flushes) { places[flushed].state = .free }
        case .tversion:
            // A new session: the host has dropped the old one's requests.
            for index in places.indices where places[index].state == .unwanted && places[index].order < place.order {
                places[index].state = .free
            }
        default: break
        }
    }

    /// What an answered fence has shown to be lost, one after the other: what may be sent again is made to wait for that.
    /// - Returns: the tag of a request whose client gets `EIO`; nil if there are no more.
    public func takeLost(upTo order: UInt64) -> Tag? {
        for index in places.indices where places[index].order <= order {
            switch places[index].state {
            case .free, .waiting: break
            case .unwanted: places[index].state = .free
            // Its client waits for the Rflush only.
            case .sent where isFlushed(places[index].tag): places[index].state = .free
            case .sent where MessageType(rawValue: places[index].type)?.isRepeatable == true:
                places[index].state = .waiting
                counters.pointee.sentAgain += 1
            case .sent:
                places[index].state = .free
                counters.pointee.failed += 1
                return places[index].tag
            }
        }
        return nil
    }

    private func drop() -> Received {
        counters.pointee.repliesDropped += 1
        return .dropped
    }

    // MARK: Places

    /// Whether a Tflush of the tag is under way.
    private func isFlushed(_ tag: Tag) -> Bool {
        for place in places where place.flushes == tag && place.type == MessageType.tflush.rawValue {
            switch place.state {
            case .waiting, .sent: return true
            case .free, .unwanted: break
            }
        }
        return false
    }

    /// The place of a message that its client waits for.
    private func place(of tag: Tag) -> Int? {
        for index in places.indices where places[index].tag == tag {
            switch places[index].state {
            case .waiting, .sent: return index
            case .free, .unwanted: break
            }
        }
        return nil
    }

    /// The place of a message that the host may answer. Of two with the same tag the later one has not been sent: the kernel's client
    /// waits for the Rversion first.
    private func sentPlace(of tag: Tag) -> Int? {
        for index in places.indices where places[index].tag == tag {
            switch places[index].state {
            case .sent, .unwanted: return index
            case .free, .waiting: break
            }
        }
        return nil
    }
}

extension MessageTable {
    /// Room for one message, without its bytes.
    public struct Place: Sendable {
        fileprivate(set) var state = State.free
        /// The message's type byte.
        fileprivate(set) var type: UInt8 = 0
        fileprivate(set) var tag = Tag.none
        /// For a Tflush, the tag of the request that it ends.
        fileprivate(set) var flushes = Tag.none
        /// Of the message, in bytes.
        fileprivate(set) var size = 0
        /// It was the n-th message sent; 0 if it was not sent yet.
        fileprivate(set) var order: UInt64 = 0
        /// What the client takes for a reply.
        fileprivate(set) var rules: ReplyRules?

        /// A free one.
        public init() {}
    }

    /// Where a message is on its way.
    enum State: UInt8, Sendable {
        case free
        /// To be sent, or to be sent again.
        case waiting
        /// Given to the USB controller: the host may have it.
        case sent
        /// As `sent`, but its client has gone.
        case unwanted
    }

    /// What all places share.
    public struct Counters: Sendable {
        /// Messages that were given to the controller.
        public fileprivate(set) var sent: UInt64 = 0
        /// Which of them the last fence follows, as long as the host owes its answer; else 0.
        fileprivate var fence: UInt64 = 0
        /// Fences that were made.
        public fileprivate(set) var fences: UInt64 = 0
        /// Replies that nobody waited for, or that no client would take.
        public fileprivate(set) var repliesDropped: UInt64 = 0
        /// Lost messages that were made to be sent again.
        public fileprivate(set) var sentAgain: UInt64 = 0
        /// Lost messages that their clients got `EIO` for.
        public fileprivate(set) var failed: UInt64 = 0

        /// Nothing was counted.
        public init() {}
    }
}

extension MessageType {
    /// Whether the server may execute the request a second time: the second reply is as good as the first, and nothing else
    /// changes. Offsets, sizes and owners of locks are in the messages; names and fids that a request makes are not.
    var isRepeatable: Bool {
        switch self {
        case .tversion, .tflush, .tstatfs, .treadlink, .tgetattr, .tsetattr, .treaddir, .tfsync, .tlock, .tgetlock,
            .tread, .twrite,
            .tclunk:
            true
        default: false
        }
    }
}
