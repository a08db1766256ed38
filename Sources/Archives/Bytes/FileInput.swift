internal import FakeRoot
package import ImageEntries
package import LinuxFiles
internal import Synchronization

/// A file as it is, or a part of one, or a pipe.
package final class FileInput: ByteInput, @unchecked Sendable {  // one thread reads, but for the atomic
    package let name: String
    package let word: String?
    private let file: OwnedDescriptor
    private let cancellation: Cancellation
    private let isPipe: Bool
    private let buffer: UnsafeMutableRawBufferPointer
    private let counter = Atomic<UInt64>(0)
    /// What is left of the part of the file that is asked for; nil for all of it.
    private var part: Range<UInt64>?
    /// Read already, and to be given once more.
    private var peeked: UnsafeRawBufferPointer?
    private var hash: SHA256?
    package private(set) var failure: ImageError?

    /// In bytes; nil for a pipe.
    package let size: UInt64?

    /// Reads a file, a pipe or a part of a file from where it stands.
    /// - Parameters:
    ///   - part: the bytes of a regular file that are wanted; nil for all from where it stands.
    ///   - isHashed: whether `finishHash` will be asked for.
    /// - Throws: `system` for a directory, and if statx(2) fails.
    package init(
        _ file: consuming OwnedDescriptor,
        name: String,
        part: Range<UInt64>? = nil,
        isHashed: Bool = false,
        _ cancellation: Cancellation
    ) throws(ImageError) {
        do throws(Errno) {
            let status = try System.status(of: file.raw)
            guard status.format != .directory else { throw .EISDIR }
            isPipe = status.format != .regular && status.format != .block
            size = part.map { UInt64($0.count) } ?? (status.format == .regular ? status.size : nil)
        } catch {
            throw ImageError("can't read \(name)", error)
        }
        self.file = file
        self.name = name
        word = isPipe || part != nil ? nil : name
        self.part = part
        self.cancellation = cancellation
        if isHashed { hash = SHA256() }
        buffer = .allocate(byteCount: 128 << 10, alignment: 16)
    }

    deinit {
        buffer.deallocate()
    }

    package var bytesRead: UInt64 { counter.load(ordering: .relaxed) }

    /// Whether the file can be read anywhere, and is not to be read once only.
    package var isRegular: Bool { !isPipe }

    /// The descriptor, for those that need the file itself.
    /// - Throws: `system` if there can be no more descriptors.
    package func duplicate() throws(ImageError) -> OwnedDescriptor {
        do throws(Errno) {
            return try System.duplicate(file.raw)
        } catch {
            throw ImageError("can't read \(name)", error)
        }
    }

    /// The first block, which `next` gives once more.
    /// - Throws: as `next`.
    package func peek() throws(ImageError) -> UnsafeRawBufferPointer {
        if let peeked { return peeked }
        let first = try next()
        peeked = first
        return first
    }

    package func next() throws(ImageError) -> UnsafeRawBufferPointer {
        if let first = peeked {
            peeked = nil
            return first
        }
        do throws(ImageError) {
            if let failure { throw failure }
            var filled = 0
            while filled < 4096 {
                let count = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
                if count == 0 { break }
                filled += count
            }
            let block = UnsafeRawBufferPointer(rebasing: buffer[..<filled])
            hash?.update(block)
            return block
        } catch {
            failure = error
            throw error
        }
    }

    /// The SHA-256 of all bytes; reads what nobody has read.
    /// - Throws: as `next`.
    package func finishHash() throws(ImageError) -> [UInt8] {
        while try !next().isEmpty {}
        return hash?.finish() ?? []
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImageError) -> Int {
        try waitForPipe()
        do throws(Errno) {
            let count: Int
            if let part {
                let wanted = min(buffer.count, part.count)
                guard wanted > 0 else { return 0 }
                let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
                count = try System.read(file.raw, into: piece, at: Int64(clamping: part.lowerBound))
                self.part = part.lowerBound + UInt64(count)..<part.upperBound
            } else {
                count = try System.receive(file.raw, into: buffer)
            }
            counter.wrappingAdd(UInt64(count), ordering: .relaxed)
            return count
        } catch {
            throw ImageError("can't read \(name)", error)
        }
    }

    /// A read from a pipe may block for ever, and then nobody would notice a cancellation.
    private func waitForPipe() throws(ImageError) {
        while !cancellation.isRequested {
            if !isPipe { return }
            do throws(Errno) {
                let interval = Cancellation.pollInterval
                if try System.waitUntilReadable(file.raw, milliseconds: interval) { return }
            } catch {
                throw ImageError("can't wait for \(name)", error)
            }
        }
        throw ImageError(.cancelled, "the import was cancelled")
    }
}
