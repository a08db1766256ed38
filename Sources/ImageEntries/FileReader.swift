package import LinuxFiles

/// The content of a host's file, for an `EntrySink`: data and holes.
package final class FileReader {
    private let descriptor: OwnedDescriptor
    /// In bytes, holes included.
    package let size: UInt64
    /// As it may be printed.
    private let name: String
    /// Called with the number of bytes just read; throws to stop the reading.
    private let onRead: (Int) throws(ImageError) -> Void

    private static let blockSize = 256 << 10

    /// Reads a file of the tree; it closes with this.
    /// - Parameter descriptor: open for reading.
    package init(
        _ descriptor: consuming OwnedDescriptor,
        size: UInt64,
        name: String = "a file of the tree",
        onRead: @escaping (Int) throws(ImageError) -> Void = { _ throws(ImageError) in }
    ) {
        self.descriptor = descriptor
        self.size = size
        self.name = name
        self.onRead = onRead
    }

    /// Calls `body` with every piece of data and its offset in bytes; what lies between is a hole. A piece has at most
    /// 256 KiB and is valid during the call.
    /// - Throws: `system` if the file got shorter while it was read.
    package func forEachBlock(_ body: (UnsafeRawBufferPointer, UInt64) throws(ImageError) -> Void) throws(ImageError) {
        var position: UInt64 = 0
        while let data = try nextData(from: position) {
            try forEachBlock(in: data, body)
            position = data.upperBound
        }
    }

    /// As `forEachBlock`, but for a part of the file, in bytes; holes are read as zeros.
    /// - Throws: `system` if the file got shorter or can't be read; what `body` and `onRead` throw.
    package func forEachBlock(
        in part: Range<UInt64>,
        _ body: (UnsafeRawBufferPointer, UInt64) throws(ImageError) -> Void
    ) throws(ImageError) {
        let size = Int(min(UInt64(Self.blockSize), UInt64(part.count)))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
        defer { buffer.deallocate() }
        var position = part.lowerBound
        while position < part.upperBound {
            let wanted = min(UInt64(buffer.count), part.upperBound - position)
            let count = try read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(wanted)]),
                at: position
            )
            try onRead(count)
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]), position)
            position += UInt64(count)
        }
    }

    /// The first piece of data, in bytes, that lies at or behind a position; nil if only a hole follows.
    ///
    /// A file system that doesn't know its holes says that all is data.
    /// - Throws: `system` if `lseek(2)` fails.
    package func nextData(from position: UInt64) throws(ImageError) -> Range<UInt64>? {
        guard position < size else { return nil }
        do throws(Errno) {
            guard let start = try System.seek(descriptor.raw, toDataFrom: position), start < size else { return nil }
            return start..<min(try System.seek(descriptor.raw, toHoleFrom: start), size)
        } catch {
            throw ImageError("can't read \(name)", error)
        }
    }

    /// Whether the host's file system says that some of it was never written.
    package var hasHoles: Bool {
        get throws(ImageError) {
            guard size > 0 else { return false }
            guard let first = try nextData(from: 0) else { return true }
            return first.lowerBound > 0 || first.upperBound < size
        }
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer, at position: UInt64) throws(ImageError) -> Int {
        let count: Int
        do throws(Errno) {
            count = try System.read(descriptor.raw, into: buffer, at: Int64(position))
        } catch {
            throw ImageError("can't read \(name)", error)
        }
        guard count > 0 else {
            throw ImageError(
                .system,
                "\(name) got shorter while it was read",
                hint: "Nobody should write to the tree meanwhile; try again."
            )
        }
        return count
    }
}
