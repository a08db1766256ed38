internal import Glibc
internal import LinuxFiles

/// The addresses of a host, from a resolver that may be slow: `getaddrinfo` can't be interrupted, so it runs on a thread of its
/// own, which is left alone if nobody waits any more.
struct HostAddresses: ~Copyable {
    private let list: UnsafeMutablePointer<addrinfo>

    /// What the resolver's thread and the one that waits share.
    private struct Lookup {
        var outcome: (code: CInt, list: UnsafeMutablePointer<addrinfo>?)?
        var isAbandoned = false
    }

    /// How long the resolver may take, in seconds; by itself it would give up sooner or later, depending on its servers.
    private static let timeout = 30

    /// - Throws: `FrameSocketError.unknownHost`, `.timedOut`, and what `lookout` throws.
    init(
        of host: String,
        port: String,
        lookingEvery milliseconds: Int,
        _ lookout: FrameSocket.Lookout
    ) throws(FrameSocketError) {
        // A numeric address needs no resolver.
        var outcome = Self.look(host, port, AI_NUMERICHOST | AI_NUMERICSERV)
        if outcome.code != 0 {
            outcome = try Self.resolve(host, port, lookingEvery: milliseconds, lookout)
        }
        guard outcome.code == 0, let list = outcome.list else {
            throw .unknownHost(String(cString: gai_strerror(outcome.code)))
        }
        self.list = list
    }

    deinit {
        freeaddrinfo(list)
    }

    /// Calls `body` with one address after another, until it succeeds.
    /// - Throws: what `body` throws for the last address; an error other than a system call's at once.
    func firstSuccess<Result: ~Copyable>(
        _ body: (addrinfo) throws(FrameSocketError) -> Result
    ) throws(FrameSocketError) -> Result {
        var failure = Errno(rawValue: EADDRNOTAVAIL)
        var next: UnsafeMutablePointer<addrinfo>? = list
        while let address = next {
            next = address.pointee.ai_next
            do throws(FrameSocketError) {
                return try body(address.pointee)
            } catch .system(let error) {
                failure = error
            }
        }
        throw .system(failure)
    }

    private static func resolve(
        _ host: String,
        _ port: String,
        lookingEvery milliseconds: Int,
        _ lookout: FrameSocket.Lookout
    ) throws(FrameSocketError) -> (code: CInt, list: UnsafeMutablePointer<addrinfo>?) {
        let lookup = Monitor(Lookup())
        do throws(Errno) {
            try startThread {
                let outcome = look(host, port, AI_ADDRCONFIG)
                lookup.update { lookup in
                    if lookup.isAbandoned, let list = outcome.list { freeaddrinfo(list) }
                    lookup.outcome = outcome
                }
            }
        } catch {
            throw .system(error)
        }
        var pace = FrameSocket.Pace(milliseconds)
        let deadline = ContinuousClock.now + .seconds(timeout)
        while true {
            do throws(FrameSocketError) {
                let left = try pace.look { (wait) throws(FrameSocketError) in
                    try lookout(wait)
                    if ContinuousClock.now >= deadline { throw .timedOut }
                }
                if let outcome = lookup.wait(seconds: Double(left) / 1000, { $0.outcome }) { return outcome }
            } catch {
                lookup.update { lookup in
                    lookup.isAbandoned = true
                    if let list = lookup.outcome?.list { freeaddrinfo(list) }
                }
                throw error
            }
        }
    }

    private static func look(
        _ host: String,
        _ port: String,
        _ flags: CInt
    ) -> (code: CInt, list: UnsafeMutablePointer<addrinfo>?) {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = flags
        var list: UnsafeMutablePointer<addrinfo>?
        return (getaddrinfo(host, port, &hints, &list), list)
    }
}
