internal import CLinux
internal import Glibc
public import LinuxFiles

/// A pipe; the server may get one of its ends.
public final class Pipe: Sendable {
    private let ends: Monitor<(read: CInt, write: CInt)>

    public init() throws(Errno) {
        var ends: [CInt] = [-1, -1]
        // In one step: a program that another test starts at this moment would keep an end open.
        guard clinux_pipe2(&ends, O_CLOEXEC) == 0 else { throw .last }
        self.ends = Monitor((ends[0], ends[1]))
    }

    deinit {
        ends.update { ends in
            if ends.read >= 0 { close(ends.read) }
            if ends.write >= 0 { close(ends.write) }
        }
    }

    /// Gives the end away; whoever gets it closes it.
    public func takeReadEnd() -> CInt {
        ends.update { ends in
            defer { ends.read = -1 }
            return ends.read
        }
    }

    public func takeWriteEnd() -> CInt {
        ends.update { ends in
            defer { ends.write = -1 }
            return ends.write
        }
    }

    public func write(_ bytes: [UInt8]) throws(Errno) {
        guard Glibc.write(ends.update { $0.write }, bytes, bytes.count) == bytes.count else { throw .last }
    }

    /// Reads a number of bytes, fewer at the end.
    public func read(_ count: Int) throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let part = bytes[filled...].withUnsafeMutableBytes {
                Glibc.read(ends.update { $0.read }, $0.baseAddress, $0.count)
            }
            guard part >= 0 else { throw .last }
            if part == 0 { break }
            filled += part
        }
        return Array(bytes[..<filled])
    }
}

/// A TCP socket that listens on 127.0.0.1, as systemd would pass one.
public final class ListeningSocket: Sendable {
    private let descriptor: OwnedDescriptor
    public let port: UInt16

    public init() throws(Errno) {
        let raw = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw .last }
        descriptor = OwnedDescriptor(owning: raw)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(raw, address, size) == 0 && listen(raw, 16) == 0 && getsockname(raw, address, &size) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        guard isBound else { throw .last }
    }

    /// A second descriptor of the same socket, as a child process inherits it.
    public func duplicate() throws(Errno) -> CInt {
        let copy = fcntl(descriptor.raw, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw .last }
        return copy
    }
}
