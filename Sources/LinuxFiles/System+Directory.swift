internal import Glibc

/// Directories as a whole.
extension System {
    /// The names in a directory, from its beginning, without "." and "..".
    /// - Parameter directory: open for reading.
    ///
    /// The corresponding system call is `getdents64`.
    public static func names(in directory: CInt) throws(Errno) -> [[UInt8]] {
        try seek(directory, to: 0)
        var names: [[UInt8]] = []
        var buffer = [UInt8](repeating: 0, count: 32 << 10)
        while true {
            let used = try buffer.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                try readDirectory(directory, into: UnsafeMutableRawBufferPointer(buffer))
            }
            if used == 0 { return names }
            // struct linux_dirent64: d_ino[8] d_off[8] d_reclen[2] d_type[1] d_name, in the host's byte order.
            var start = 0
            while start < used {
                let length = Int(buffer[start + 16]) | Int(buffer[start + 17]) << 8
                let name = Array(buffer[(start + 19)..<(start + length)].prefix { $0 != 0 })
                if name != [UInt8(ascii: ".")], name != [UInt8(ascii: "."), UInt8(ascii: ".")] { names.append(name) }
                start += length
            }
        }
    }

    /// Removes a directory entry and all that is beneath it, at any depth. Symbolic links are removed, not followed.
    ///
    /// At most `DirectoryTrail.maxOpen` directories are open.
    /// - Throws: `EACCES` for a directory that doesn't let its owner in, `ENOTEMPTY` if another process adds files, `ESTALE` if
    ///   it moves directories; else as `unlink(2)`.
    public static func removeTree(at directory: CInt, _ name: borrowing FileName) throws(Errno) {
        guard try !removeFile(at: directory, name) else { return }
        let trail = DirectoryTrail()
        // The directories on the way down, with the names in them that are still to be removed.
        var ways: [(name: [UInt8], rest: [[UInt8]])] = []
        func enter(_ name: borrowing FileName, in parent: CInt) throws(Errno) {
            let inner = try name.withCString { (name) throws(Errno) in
                try open(at: parent, name, [.readOnly, .directory, .noFollow])
            }
            ways.append((name.bytes.withUnsafeBytes { Array($0) }, try names(in: inner.raw)))
            try trail.enter(inner)
        }
        try enter(name, in: directory)
        while !ways.isEmpty {
            if let next = ways[ways.count - 1].rest.popLast() {
                let name = try FileName(next.span.bytes)
                if try !removeFile(at: trail.current, name) { try enter(name, in: trail.current) }
                continue
            }
            try trail.leave()
            let left = ways.removeLast().name
            let name = try FileName(left.span.bytes)
            try name.withCString { (name) throws(Errno) in
                try unlink(at: ways.isEmpty ? directory : trail.current, name, isDirectory: true)
            }
        }
    }

    /// - Returns: false for a directory.
    private static func removeFile(at directory: CInt, _ name: borrowing FileName) throws(Errno) -> Bool {
        do throws(Errno) {
            try name.withCString { (name) throws(Errno) in try unlink(at: directory, name, isDirectory: false) }
            return true
        } catch .EISDIR, .EPERM {
            // POSIX says EPERM, Linux EISDIR. Anything else that must not be removed fails again as a directory.
            return false
        }
    }

    /// Takes a lock on an open file or directory that goes away with the last descriptor of this opening.
    /// - Returns: false if somebody else has it.
    ///
    /// The corresponding C function is `flock` with LOCK_EX and LOCK_NB.
    public static func tryLock(_ descriptor: CInt) throws(Errno) -> Bool {
        do throws(Errno) {
            _ = try retrying { flock(descriptor, LOCK_EX | LOCK_NB) }
            return true
        } catch .EAGAIN {
            return false
        }
    }
}
