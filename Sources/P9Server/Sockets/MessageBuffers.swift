internal import ServedTree

/// Room for a request and its reply, of one thread of a connection.
struct MessageBuffers: ~Copyable {
    private(set) var request = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private(set) var reply = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    /// What pays for them; nil for a connection's first thread, which always has them.
    private let account: Budget.Account?

    init(paidBy account: Budget.Account?) {
        self.account = account
    }

    deinit {
        request.deallocate()
        reply.deallocate()
        account?.give(Self.cost(request.count))
    }

    /// Bytes for messages of a size.
    static func cost(_ size: Int) -> Int { 2 * size }

    /// Makes room for messages of a size; one more than before is paid for.
    /// - Parameter size: in bytes; it changes with the session's msize.
    /// - Returns: false if the client has its share of memory.
    mutating func fit(_ size: Int) -> Bool {
        guard size != request.count else { return true }
        account?.give(Self.cost(request.count))
        request.deallocate()
        reply.deallocate()
        request = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        reply = request
        if let account, !account.take(Self.cost(size)) { return false }
        request = .allocate(byteCount: size, alignment: 4096)
        reply = .allocate(byteCount: size, alignment: 4096)
        return true
    }
}
