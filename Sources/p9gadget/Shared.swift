import BoardLink
import CBoard

/// The memory that the keeper shares with the processes that carry messages: what one of them leaves behind the next can go on
/// with. All of it is taken at the start.
struct Shared {
    /// Words that several processes read and write, one at a time.
    enum Word: Int {
        /// Not 0 while a host has configured the gadget.
        case enabled
        /// How often a host has configured it: each time may have lost messages.
        case generation
        /// Changes when `Carrier.sendAgain` may have something to do.
        case kick
        /// Not 0 if messages may be lost though the generation is the same.
        case doubt
        /// How many threads change the table, or receive bytes: a process that ends then leaves it in pieces.
        case changing
        /// How many replies have left the table and are not yet in the client's socket.
        case delivering
        /// Bytes of the message that is being received.
        case received
        /// The buffer that it is received into.
        case receiving
        /// Not 0 when the client has gone, and the carrier ends for that.
        case unmounted
        case count
    }

    private let words: UnsafeMutablePointer<UInt32>
    let table: MessageTable
    private let bufferOf: UnsafeMutablePointer<UInt32>
    private let buffers: UnsafeMutableRawPointer
    private let places: Int
    /// A reply that is received.
    let reply: UnsafeMutableRawBufferPointer
    /// Bytes of a buffer.
    let msize: Int

    /// - Returns: nil if there is no memory.
    init?(messages: Int, msize: Int) {
        let places = messages + 1
        // A page at least, so that each buffer begins with one.
        let bufferSize = (msize + 4095) & ~4095
        // One more page than that for a reply: whole packets are asked for.
        let fixed = 16 << 10
        let total = fixed + (places + 1) * bufferSize + bufferSize + 4096
        guard let memory = board_shared_memory(total) else { return nil }
        words = memory.assumingMemoryBound(to: UInt32.self)
        bufferOf = (memory + 512).assumingMemoryBound(to: UInt32.self)
        let counters = (memory + 1024).assumingMemoryBound(to: MessageTable.Counters.self)
        let firstPlace = (memory + 2048).assumingMemoryBound(to: MessageTable.Place.self)
        table = MessageTable(counters, UnsafeMutableBufferPointer(start: firstPlace, count: places))
        self.places = places
        buffers = memory + fixed
        reply = UnsafeMutableRawBufferPointer(start: buffers + (places + 1) * bufferSize, count: bufferSize + 4096)
        self.msize = msize
        reset()
    }

    /// Forgets all messages.
    func reset() {
        table.initialize()
        var index = 0
        while index < places {
            bufferOf[index] = UInt32(index)
            index += 1
        }
        set(.receiving, UInt32(places))
        incoming.storeBytes(of: 0, as: UInt32.self)
    }

    subscript(_ word: Word) -> UInt32 { board_load(words + word.rawValue) }
    func set(_ word: Word, _ value: UInt32) { board_store(words + word.rawValue, value) }
    func increment(_ word: Word) { board_add(words + word.rawValue, 1) }
    func decrement(_ word: Word) { board_add(words + word.rawValue, .max) }
    /// - Parameter milliseconds: 0 is for ever.
    /// - Returns: false if the time is over.
    @discardableResult
    func sleep(_ word: Word, while value: UInt32, atMost milliseconds: Int32 = 0) -> Bool {
        board_sleep_while(words + word.rawValue, value, milliseconds) != 0
    }
    func wake(_ word: Word) { board_wake(words + word.rawValue) }

    private func buffer(_ number: UInt32) -> UnsafeMutableRawPointer {
        buffers + Int(number) * ((msize + 4095) & ~4095)
    }

    /// Where the next message is received.
    var incoming: UnsafeMutableRawPointer { buffer(self[.receiving]) }

    /// A message's bytes.
    func message(_ place: Int) -> UnsafeMutableRawPointer { buffer(bufferOf[place]) }

    /// Gives the buffer of a message that was received to its place, and takes the place's for the next one.
    func exchangeBuffers(_ place: Int) {
        let received = self[.receiving]
        set(.receiving, bufferOf[place])
        bufferOf[place] = received
    }
}
