internal import Glibc
public import LinuxFiles
internal import P9Wire

/// A connection for bytes, right or wrong: what a client library would never send.
public final class RawConnection: Sendable {
    private let descriptor: OwnedDescriptor

    public init(owning descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
        setTimeout(milliseconds: 60_000)
    }

    /// Connects to 127.0.0.1.
    public convenience init(port: UInt16) throws(Errno) {
        let raw = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw .last }
        self.init(owning: OwnedDescriptor(owning: raw))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw .last }
    }

    /// Connects to a Unix socket.
    public convenience init(path: String) throws(Errno) {
        let raw = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw .last }
        self.init(owning: OwnedDescriptor(owning: raw))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw .last }
    }

    public func setTimeout(milliseconds: Int) {
        var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            _ = setsockopt(descriptor.raw, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    /// Sends bytes as they are.
    public func send(_ bytes: [UInt8]) throws(Errno) {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                Glibc.send(descriptor.raw, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw .last }
            done += count
        }
    }

    /// Says that nothing more will be sent.
    public func finishSending() {
        shutdown(descriptor.raw, CInt(SHUT_WR))
    }

    /// Receives one frame.
    /// - Returns: nil if the server has closed the connection.
    /// - Throws: `EAGAIN` if nothing comes in time.
    public func receive() throws(Errno) -> [UInt8]? {
        guard var frame = try receive(4) else { return nil }
        let size = frame.enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        guard size >= 7, let rest = try receive(size - 4) else { throw .EPROTO }
        frame += rest
        return frame
    }

    private func receive(_ count: Int) throws(Errno) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let received = bytes[filled...].withUnsafeMutableBytes { recv(descriptor.raw, $0.baseAddress, $0.count, 0) }
            if received == 0 || received < 0 && errno == ECONNRESET { return nil }
            guard received > 0 else { throw .last }
            filled += received
        }
        return bytes
    }

    /// Sends a frame and receives the next one.
    public func exchange(_ bytes: [UInt8]) throws(Errno) -> [UInt8]? {
        try send(bytes)
        return try receive()
    }

    /// Opens a session.
    public func negotiate(msize: UInt32 = 65_536, tag: UInt16 = 0xffff) throws(Errno) {
        let reply = try exchange(frame(100, tag: tag, littleEndian(msize) + wireString("9P2000.L")))
        guard reply?[4] == MessageType.rversion.rawValue else { throw .EPROTO }
    }

    /// Attaches fid 0 to the default export.
    public func attach(tag: UInt16 = 1) throws(Errno) {
        let body = littleEndian(UInt32(0)) + littleEndian(UInt32.max) + wireString("root") + wireString("")
        let reply = try exchange(frame(104, tag: tag, body + littleEndian(UInt32(0))))
        guard reply?[4] == MessageType.rattach.rawValue else { throw .EPROTO }
    }
}

/// What an Rlerror says; nil for any other reply.
public func errno(of reply: [UInt8]?) -> Errno? {
    guard let reply, reply.count == 11, reply[4] == MessageType.rlerror.rawValue else { return nil }
    return Errno(rawValue: CInt(reply[7]) | CInt(reply[8]) << 8)
}

/// A reply's tag.
public func tag(of reply: [UInt8]) -> UInt16 { UInt16(reply[5]) | UInt16(reply[6]) << 8 }
