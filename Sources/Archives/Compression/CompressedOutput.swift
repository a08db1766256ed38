package import ImageEntries
internal import LinuxFiles

/// Compresses what it passes on: the same bytes for the same bytes, on however many processors.
///
/// A thread of its own compresses, since one call of a compressor may take half a minute (xz and zstd work on blocks of
/// many MiB), and whoever ends the export must not wait for that.
package final class CompressedOutput: ByteOutput {
    private let next: any ByteOutput
    private let worker: CompressionWorker
    private let wait: ExportWait

    /// How many threads do the work. The number decides how the data are cut into blocks, so it must not depend on the machine.
    package static let threads: UInt32 = 2

    /// Starts the compressor's threads.
    /// - Parameters:
    ///   - compression: not `none`.
    ///   - level: nil for the usual one.
    ///   - wait: what to do while the compressor works.
    /// - Throws: `system` if there can be no more threads, or the library has no such compression or level.
    package init(_ next: any ByteOutput, _ compression: Compression, level: Int? = nil, _ wait: ExportWait)
        throws(ImageError)
    {
        self.next = next
        self.wait = wait
        worker = try CompressionWorker { (link) throws(ImageError) -> any StreamEncoder in
            if compression == .xz { return try XZEncoder(link, level: level) }
            return try ArchiveEncoder(link, compression, level: level)
        }
    }

    deinit {
        worker.abandon()
    }

    package func write(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        let chunk = Array(bytes)
        while try !pass(worker.offer(chunk)) {}
    }

    package func finish() throws(ImageError) {
        wait.phase = .finishing
        worker.end()
        while try !pass(worker.collect()) {}
        wait.pendingBytes = 0
        try next.finish()
    }

    /// Passes on what was compressed.
    /// - Parameter step: nil if nothing has happened for a while.
    /// - Returns: whether the worker has taken what it was to take.
    private func pass(_ step: CompressionWorker.Step?) throws(ImageError) -> Bool {
        wait.pendingBytes = worker.pendingBytes
        guard let step else {
            try wait.look()
            return false
        }
        if let failure = step.failure { throw failure }
        try step.output.span.withUnsafeBytes { (bytes) throws(ImageError) in
            if !bytes.isEmpty { try next.write(bytes) }
        }
        if !step.isDone { try wait.check() }
        return step.isDone
    }
}
