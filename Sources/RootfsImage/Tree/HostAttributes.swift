internal import ImageEntries
internal import LinuxFiles

/// The extended attributes of a host's file, read at once.
struct HostAttributes {
    private(set) var all: [ImageEntry.Attribute] = []

    /// - Throws: `permission` if the file may not be read.
    init(of file: HostFile) throws(ImageError) {
        let names: [UInt8]
        do throws(Errno) {
            names = try System.listAttributes(of: file.descriptor)
        } catch .EOPNOTSUPP {
            return
        } catch {
            throw ImageError("can't list the attributes of \(file.description)", error)
        }
        for name in names.split(separator: 0) {
            do throws(Errno) {
                all.append(
                    ImageEntry.Attribute(name: Array(name), value: try Self.read(Array(name), of: file.descriptor))
                )
            } catch .ENODATA, .EOPNOTSUPP {
                continue  // gone meanwhile; or listed, but of a class that nobody may read
            } catch {
                throw ImageError("can't read the attributes of \(file.description)", error)
            }
        }
    }

    subscript(name: String) -> [UInt8]? { all.first { $0.name.elementsEqual(name.utf8) }?.value }

    /// An attribute's value.
    /// - Throws: `ENODATA` if there is none.
    static func read(_ name: [UInt8], of descriptor: CInt) throws(Errno) -> [UInt8] {
        try (name + [0]).span.withUnsafeBytes { (name) throws(Errno) -> [UInt8] in
            guard let base = name.baseAddress else { throw .EINVAL }
            let name = base.assumingMemoryBound(to: CChar.self)
            while true {
                let nothing = UnsafeMutableRawBufferPointer(start: nil, count: 0)
                var value = [UInt8](repeating: 0, count: try System.getAttribute(name, of: descriptor, into: nothing))
                if value.isEmpty { return [] }
                do throws(Errno) {
                    let used = try value.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                        try System.getAttribute(name, of: descriptor, into: UnsafeMutableRawBufferPointer(buffer))
                    }
                    value.removeLast(value.count - used)
                    return value
                } catch .ERANGE {
                    continue  // it grew between the two calls
                }
            }
        }
    }

    static func write(_ name: [UInt8], _ value: [UInt8], to descriptor: CInt) throws(Errno) {
        try (name + [0]).span.withUnsafeBytes { (name) throws(Errno) in
            guard let base = name.baseAddress else { throw .EINVAL }
            try System.setAttribute(base.assumingMemoryBound(to: CChar.self), of: descriptor, to: value.span.bytes)
        }
    }

    /// Removes an attribute; no error if there is none.
    static func remove(_ name: [UInt8], from descriptor: CInt) throws(Errno) {
        do throws(Errno) {
            try (name + [0]).span.withUnsafeBytes { (name) throws(Errno) in
                guard let base = name.baseAddress else { throw .EINVAL }
                try System.removeAttribute(base.assumingMemoryBound(to: CChar.self), of: descriptor)
            }
        } catch .ENODATA, .EOPNOTSUPP {}
    }

    /// The attributes of the file itself, under the board's names: without the metadata of fake-root tools, and without what
    /// the host's own security module has written.
    var own: [ImageEntry.Attribute] {
        all.filter { attribute in
            !Self.isToolName(attribute.name)
                && (Self.keptPrefixes.contains { attribute.name.starts(with: $0.utf8) })
        }
    }

    /// The attributes whose names begin so, without the beginning.
    func stripped(of prefix: String) -> [ImageEntry.Attribute] {
        all.compactMap { attribute in
            guard attribute.name.starts(with: prefix.utf8) else { return nil }
            return ImageEntry.Attribute(
                name: Array(attribute.name.dropFirst(prefix.utf8.count)),
                value: attribute.value
            )
        }
    }

    /// Whether an attribute's name is one in which this or another fake-root tool keeps what it knows: such attributes are
    /// never a file's own.
    static func isToolName(_ name: [UInt8]) -> Bool { toolPrefixes.contains { name.starts(with: $0.utf8) } }

    private static let toolPrefixes = [
        "user.containers.override_", "user.fuseoverlayfs.", "user.virtfs.", "user.rsync.", "user.rootlesscontainers",
        "user.usb9pfs.",
    ]

    private static let keptPrefixes = [
        "user.", "trusted.", "security.capability", "security.ima", "security.evm", "system.posix_acl_",
    ]
}
