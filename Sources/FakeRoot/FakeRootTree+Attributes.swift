public import LinuxFiles

/// Extended attributes, as the board names them.
extension FakeRootTree {
    /// XATTR_SIZE_MAX, in bytes.
    public static let maxAttributeSize = 65_536
    /// XATTR_NAME_MAX, in bytes.
    public static let maxAttributeNameLength = AttributeName.maxLength

    /// - Throws: `ENODATA` if there is none, or the name is hidden; `EOPNOTSUPP` for a class that can't be kept.
    public func attribute(_ name: RawSpan, of descriptor: CInt) throws(Errno) -> [UInt8] {
        let host = try System.status(of: descriptor)
        do throws(Errno) {
            let name = try AttributeName(board: name)
            guard Self.canCarryAttributes(host) else { throw .ENODATA }
            return try raisingToFloor(descriptor) { () throws(Errno) in
                try name.withCString { (name) throws(Errno) in
                    try Self.readAttribute(name, of: descriptor)
                }
            }
        } catch .EPERM {
            throw .ENODATA
        }
    }

    private static func readAttribute(
        _ name: UnsafePointer<CChar>,
        of descriptor: CInt
    ) throws(Errno) -> [UInt8] {
        let nothing = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        while true {
            let size = try System.getAttribute(name, of: descriptor, into: nothing)
            if size == 0 { return [] }
            var value = [UInt8](repeating: 0, count: size)
            do throws(Errno) {
                let used = try value.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                    try System.getAttribute(name, of: descriptor, into: UnsafeMutableRawBufferPointer(buffer))
                }
                value.removeLast(size - used)
                return value
            } catch .ERANGE {
                continue  // it grew between the two calls
            }
        }
    }

    /// The names of a file's attributes, each ended by a NUL.
    public func attributeNames(of descriptor: CInt) throws(Errno) -> [UInt8] {
        let host = try System.status(of: descriptor)
        guard Self.canCarryAttributes(host) else { return [] }
        let names: [UInt8]
        do throws(Errno) {
            names = try System.listAttributes(of: descriptor)
        } catch .EOPNOTSUPP {
            return []
        }
        var visible: [UInt8] = []
        for name in names.split(separator: 0) {
            guard let part = AttributeName.boardName(ofHost: Array(name).span.bytes) else { continue }
            visible += name.dropFirst(part.lowerBound)
            visible.append(0)
        }
        return visible
    }

    /// - Parameter flags: XATTR_CREATE 1, XATTR_REPLACE 2, or 0.
    /// - Throws: `EPERM` for a hidden name, `EOPNOTSUPP` for a class or a file that can't carry it, `E2BIG` beyond
    ///   64 KiB.
    public func setAttribute(
        _ name: RawSpan,
        of descriptor: CInt,
        to value: RawSpan,
        flags: CInt
    ) throws(Errno) {
        guard value.byteCount <= Self.maxAttributeSize else { throw .E2BIG }
        let name = try AttributeName(board: name)
        guard try Self.canCarryAttributes(System.status(of: descriptor)) else { throw .EOPNOTSUPP }
        try raisingToFloor(descriptor) { () throws(Errno) in
            try name.withCString { (name) throws(Errno) in
                try System.setAttribute(name, of: descriptor, to: value, flags: flags)
            }
        }
    }

    public func removeAttribute(_ name: RawSpan, of descriptor: CInt) throws(Errno) {
        let name = try AttributeName(board: name)
        guard try Self.canCarryAttributes(System.status(of: descriptor)) else { throw .EOPNOTSUPP }
        try raisingToFloor(descriptor) { () throws(Errno) in
            try name.withCString { (name) throws(Errno) in
                try System.removeAttribute(name, of: descriptor)
            }
        }
    }
}
