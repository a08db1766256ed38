internal import Glibc
public import LinuxFiles

/// A directory of a test's own, on a file system with user extended attributes; removed with its owner.
public final class TemporaryDirectory: Sendable {
    public let path: String

    /// - Throws: `EOPNOTSUPP` if neither TMPDIR nor /var/tmp nor /tmp can hold extended attributes.
    public init() throws(Errno) {
        let candidates = [getenv("TMPDIR").map { String(cString: $0) }, "/var/tmp", "/tmp"].compactMap { $0 }
        var failure = Errno.EOPNOTSUPP
        for candidate in candidates {
            var template = Array("\(candidate)/usb9pfs-test-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else {
                failure = .last
                continue
            }
            let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            do throws(Errno) {
                try Self.probe(path)
                self.path = path
                return
            } catch {
                failure = error
                rmdir(path)
            }
        }
        throw failure
    }

    private static func probe(_ path: String) throws(Errno) {
        let directory = try System.open(path, [.readOnly, .directory])
        let name = Array("user.usb9pfs.probe".utf8CString)
        try name.withUnsafeBufferPointer { (name) throws(Errno) in
            let name = name.baseAddress.unsafelyUnwrapped
            try System.setAttribute(name, of: directory.raw, to: [1].span.bytes)
            try System.removeAttribute(name, of: directory.raw)
        }
    }

    deinit {
        _ = try? run("chmod", "-R", "u+rwX", path)
        _ = try? run("rm", "-rf", path)
    }

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
        let file = try System.open(self.file(name), .readOnly)
        var content = [UInt8](repeating: 0, count: Int(try System.status(of: file.raw).size))
        let count = try content.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
            try System.read(file.raw, into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        content.removeLast(content.count - count)
        return content
    }

    /// The names in it, sorted.
    public func names(_ directory: String = ".") throws(Errno) -> [String] {
        let opened = try System.open(file(directory), [.readOnly, .directory])
        return try System.names(in: opened.raw).map { String(decoding: $0, as: UTF8.self) }.sorted()
    }
}
