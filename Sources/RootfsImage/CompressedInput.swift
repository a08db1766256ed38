internal import LinuxFiles
internal import Synchronization

/// The archive file as it is, block after block, from a file or a pipe.
///
/// One thread reads; any thread may ask for `bytesRead`.
final class CompressedInput: @unchecked Sendable {  // all but the atomic is used by the reading thread alone
    private let file: OwnedDescriptor
    private let cancellation: Cancellation
    private let isPipe: Bool
    private let buffer: UnsafeMutableRawBufferPointer
    private let counter = Atomic<UInt64>(0)
    /// Set after a failure: what C code between the reader and its caller can't carry.
    private(set) var failure: ImageError?

    /// In bytes; nil for a pipe.
    let size: UInt64?

    init(_ file: consuming OwnedDescriptor, _ cancellation: Cancellation) throws(ImageError) {
        do throws(Errno) {
            let status = try System.status(of: file.raw)
            guard status.format != .directory else { throw .EISDIR }
            isPipe = status.format != .regular
            size = status.format == .regular ? status.size : nil
        } catch {
            throw ImageError("can't read the archive", error)
        }
        self.file = file
        self.cancellation = cancellation
        buffer = .allocate(byteCount: 128 << 10, alignment: 16)
    }

    deinit {
        buffer.deallocate()
    }

    /// Bytes read so far.
    var bytesRead: UInt64 { counter.load(ordering: .relaxed) }

    /// The next block, valid until the next call; empty at the end.
    ///
    /// At least 512 bytes, except at the end: enough to recognize a format, however small the pieces a pipe delivers.
    func next() throws(ImageError) -> UnsafeRawBufferPointer {
        do throws(ImageError) {
            if let failure { throw failure }
            var filled = 0
            while filled < 512 {
                let count = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
                if count == 0 { break }
                filled += count
            }
            return UnsafeRawBufferPointer(rebasing: buffer[..<filled])
        } catch {
            failure = error
            throw error
        }
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImageError) -> Int {
        try waitForPipe()
        do throws(Errno) {
            let count = try System.receive(file.raw, into: buffer)
            counter.wrappingAdd(UInt64(count), ordering: .relaxed)
            return count
        } catch {
            throw ImageError("can't read the archive", error)
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
                throw ImageError("can't wait for the archive", error)
            }
        }
        throw ImageError(.cancelled, "the import was cancelled")
    }
}
