internal import Glibc
internal import LinuxFiles

extension Listener {
    /// Listens on every address that a host name has, such as 127.0.0.1 and ::1 for localhost: a client may try any of them.
    ///
    /// All have the same port. With port 0 the kernel chooses one that is free on all of them. An address that this machine
    /// doesn't have, such as ::1 without IPv6, is passed over where another one is left.
    /// - Throws: `ENXIO` for a host name that can't be resolved, and what `bind` gives, such as `EADDRINUSE`, `EACCES`.
    static func all(host: String, port: UInt16) throws(Errno) -> [Listener] {
        let addresses = try resolve(host)
        var attempts = 16
        while true {
            do throws(Errno) {
                return try bind(addresses, port: port)
            } catch .EADDRINUSE where port == 0 && attempts > 0 {
                // The port that is free on the first address is taken on another one.
                attempts -= 1
            }
        }
    }

    private static func bind(_ addresses: [SocketAddress], port: UInt16) throws(Errno) -> [Listener] {
        var port = port
        var listeners: [Listener] = []
        var absent: Errno?
        for address in addresses {
            do throws(Errno) {
                let listener = try listen(on: address, port: port, isOneOfSeveral: addresses.count > 1)
                if case .tcp(_, let bound) = listener.address { port = bound }
                listeners.append(listener)
            } catch .EADDRNOTAVAIL {
                absent = .EADDRNOTAVAIL
            } catch .EAFNOSUPPORT {
                absent = .EAFNOSUPPORT
            }
        }
        guard !listeners.isEmpty else { throw absent ?? .ENXIO }
        return listeners
    }

    private static func listen(
        on address: SocketAddress,
        port: UInt16,
        isOneOfSeveral: Bool
    ) throws(Errno) -> Listener {
        let raw = socket(address.family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw != -1 else { throw .last }
        let descriptor = OwnedDescriptor(owning: raw)
        var yes: CInt = 1
        let size = socklen_t(MemoryLayout<CInt>.size)
        _ = setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &yes, size)
        // Otherwise "::" would take the port of 0.0.0.0, too, which could not be bound then.
        if isOneOfSeveral, address.family == AF_INET6 {
            _ = setsockopt(raw, CInt(IPPROTO_IPV6), IPV6_V6ONLY, &yes, size)
        }
        let isBound = address.with(port: port).withUnsafePointer { Glibc.bind(raw, $0, $1) == 0 }
        guard isBound, Glibc.listen(raw, backlog) == 0 else { throw .last }
        guard let host = address.hostText else { throw .EAFNOSUPPORT }
        return try Listener(descriptor, .tcp(host: host, port: SocketAddress(of: raw)?.port ?? port))
    }

    /// The corresponding C function is `getaddrinfo`.
    private static func resolve(_ host: String) throws(Errno) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0, list != nil else { throw .ENXIO }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let info = next?.pointee {
            next = info.ai_next
            guard [AF_INET, AF_INET6].contains(info.ai_family), let found = info.ai_addr else { continue }
            let address = SocketAddress(found, size: info.ai_addrlen)
            // A hosts file may have one twice.
            if address.hostText != nil, !addresses.contains(address) { addresses.append(address) }
        }
        return addresses
    }
}
