internal import FakeRoot
package import ImageEntries
package import LinuxFiles

/// Copies a stream into a file that has no name and goes away with its descriptor, for what can't be read in one go.
package enum Spool {
    /// What is all zeros in blocks of this size stays a hole: disk images are mostly empty.
    private static let blockSize = 4096

    /// Copies all that is left of a stream.
    /// - Parameters:
    ///   - directory: on whose disk the file lies.
    ///   - maxSize: bytes that may be written; nil for no limit.
    ///   - onProgress: called with the bytes copied so far.
    /// - Throws: `noSpace`, `refusedEntry` beyond `maxSize`, and as `ArchiveStream.next`.
    package static func copy(
        _ stream: ArchiveStream,
        into directory: CInt,
        maxSize: UInt64?,
        onProgress: (UInt64) -> Void
    ) throws(ImageError) -> OwnedDescriptor {
        let name = stream.input.name
        let action = "can't copy \(name) into a temporary file"
        let file = try ImageError.attempt(action) { () throws(Errno) in try open(in: directory) }
        let content = FileContent(file.raw)
        var size: Int64 = 0
        while true {
            let block = try stream.next()
            if block.isEmpty { break }
            try ImageError.attempt(action) { () throws(Errno) in try write(block, to: content, at: size) }
            size += Int64(block.count)
            if let maxSize, content.written > maxSize { throw .tooLarge(name, limit: maxSize) }
            onProgress(UInt64(size))
        }
        _ = try ImageError.attempt(action) { () throws(Errno) in try content.finish(size: size) }
        return file
    }

    private static func open(in directory: CInt) throws(Errno) -> OwnedDescriptor {
        do throws(Errno) {
            return try System.open(at: directory, ".", [.unnamed, .readWrite], mode: 0o600)
        } catch .EOPNOTSUPP, .EISDIR {
            // No O_TMPFILE here. The name begins as those do that don't exist for a board.
            let name = try FileName(".usb9pfs-new.spool")
            return try name.withCString { (name) throws(Errno) in
                let file = try System.open(at: directory, name, [.readWrite, .create, .exclusive], mode: 0o600)
                try System.unlink(at: directory, name, isDirectory: false)
                return file
            }
        }
    }

    private static func write(
        _ block: UnsafeRawBufferPointer,
        to content: FileContent,
        at offset: Int64
    ) throws(Errno) {
        var start = 0
        while start < block.count {
            // As many pieces as are of one kind.
            let isHole = piece(block, at: start).isZero
            var end = start
            while end < block.count, piece(block, at: end).isZero == isHole { end += piece(block, at: end).count }
            if !isHole {
                try content.write(UnsafeRawBufferPointer(rebasing: block[start..<end]), at: offset + Int64(start))
            }
            start = end
        }
    }

    private static func piece(_ block: UnsafeRawBufferPointer, at start: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: block[start..<min(start + blockSize, block.count)])
    }
}
