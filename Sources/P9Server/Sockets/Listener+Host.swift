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
        let isBound = address.with(port: port) { Glibc.bind(raw, $0, $1) == 0 }
        guard isBound, Glibc.listen(raw, backlog) == 0 else { throw .last }
        return try Listener(descriptor, .tcp(host: address.text, port: boundPort(of: raw) ?? port))
    }

    private static func boundPort(of socket: CInt) -> UInt16? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { bytes -> UInt16? in
            guard let base = bytes.baseAddress,
                getsockname(socket, base.assumingMemoryBound(to: sockaddr.self), &size) == 0
            else { return nil }
            return UInt16(bigEndian: bytes.load(fromByteOffset: SocketAddress.portOffset, as: UInt16.self))
        }
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
            // A hosts file may have one twice.
            if let address = SocketAddress(info), !addresses.contains(address) { addresses.append(address) }
        }
        return addresses
    }
}

/// An address of a host, of IPv4 or IPv6.
private struct SocketAddress: Equatable {
    let family: CInt
    private let bytes: [UInt8]
    /// As digits.
    let text: String

    /// sin_port and sin6_port are at the same place, in network order.
    static let portOffset = 2

    init?(_ info: addrinfo) {
        guard [AF_INET, AF_INET6].contains(info.ai_family), let address = info.ai_addr else { return nil }
        family = info.ai_family
        bytes = Array(UnsafeRawBufferPointer(start: address, count: Int(info.ai_addrlen)))
        var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, info.ai_addrlen, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST) == 0 else {
            return nil
        }
        text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func with<Result>(port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var storage = sockaddr_storage()
        return withUnsafeMutableBytes(of: &storage) { storage in
            storage.copyBytes(from: bytes)
            storage.storeBytes(of: port.bigEndian, toByteOffset: Self.portOffset, as: UInt16.self)
            guard let base = storage.baseAddress else { preconditionFailure("a sockaddr_storage has bytes") }
            return body(base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
    }
}
