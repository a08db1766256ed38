internal import CLinux
internal import Glibc
public import LinuxFiles

/// A directory of the host, with what a developer does in it besides the server.
public protocol HostFiles: Sendable {
    /// Absolute.
    var path: String { get }
}

/// A directory beneath another.
public struct Subdirectory: HostFiles {
    public let path: String

    public init(path: String) {
        self.path = path
    }
}

extension HostFiles {
    public func subdirectory(_ name: String) -> Subdirectory { Subdirectory(path: file(name)) }

    public func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file; the umask is not heeded.
    @discardableResult
    public func write(_ name: String, _ content: [UInt8], mode: UInt32 = 0o644) throws(Errno) -> String {
        let path = file(name)
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw .last }
        let file = OwnedDescriptor(owning: descriptor)
        _ = try System.write(file.raw, content.span.bytes, at: 0)
        try System.changeMode(of: file.raw, to: mode)
        return path
    }

    @discardableResult
    public func write(_ name: String, _ content: String, mode: UInt32 = 0o644) throws(Errno) -> String {
        try write(name, Array(content.utf8), mode: mode)
    }

    public func read(_ name: String) throws(Errno) -> [UInt8] {
        let descriptor = Glibc.open(file(name), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last }
        let file = OwnedDescriptor(owning: descriptor)
        var content = [UInt8](repeating: 0, count: Int(try System.status(of: file.raw).size))
        let count = try content.withUnsafeMutableBufferPointer { (buffer) throws(Errno) -> Int in
            try System.read(file.raw, into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        content.removeLast(content.count - count)
        return content
    }

    public func makeDirectory(_ name: String, mode: UInt32 = 0o755) throws(Errno) {
        guard mkdir(file(name), mode) == 0, chmod(file(name), mode) == 0 else { throw .last }
    }

    public func makeSymlink(_ name: String, to target: String) throws(Errno) {
        guard symlink(target, file(name)) == 0 else { throw .last }
    }

    public func rename(_ name: String, to newName: String) throws(Errno) {
        guard Glibc.rename(file(name), file(newName)) == 0 else { throw .last }
    }

    public func remove(_ name: String) {
        TemporaryDirectory.removeAll(file(name))
    }

    /// The permission bits of the host's file.
    public func mode(_ name: String) throws(Errno) -> UInt32 {
        try System.status(at: System.atCurrentDirectory, file(name)).mode & 0o7777
    }

    public func status(_ name: String) throws(Errno) -> FileStatus {
        try System.status(at: System.atCurrentDirectory, file(name))
    }

    public func setMode(_ name: String, _ mode: UInt32) throws(Errno) {
        guard chmod(file(name), mode) == 0 else { throw .last }
    }

    /// Sets an extended attribute of the host's file.
    public func setAttribute(_ name: String, _ attribute: String, _ value: String) throws(Errno) {
        guard setxattr(file(name), attribute, value, value.utf8.count, 0) == 0 else { throw .last }
    }

    /// An extended attribute of the host's file; nil if there is none.
    public func attribute(_ name: String, _ attribute: String) -> String? {
        var value = [UInt8](repeating: 0, count: 4096)
        let size = getxattr(file(name), attribute, &value, value.count)
        return size < 0 ? nil : String(decoding: value[..<size], as: UTF8.self)
    }

    /// The names in it, sorted.
    public func names(_ directory: String = ".") throws(Errno) -> [String] {
        let opened = try System.open(file(directory), [.readOnly, .directory])
        return try System.names(in: opened.raw).map { String(decoding: $0, as: UTF8.self) }.sorted()
    }

    /// How many descriptors of this process lead into the directory.
    public var openDescriptors: Int {
        listFiles("/proc/self/fd").filter { number in
            var buffer = [UInt8](repeating: 0, count: 4096)
            let size = buffer.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return 0 }
                return readlink("/proc/self/fd/\(number)", base.assumingMemoryBound(to: CChar.self), bytes.count)
            }
            return size > 0 && String(decoding: buffer[..<size], as: UTF8.self).hasPrefix(path)
        }.count
    }
}
