internal import LinuxFiles

/// What an export does while it waits for a compressor, a pipe's reader or the disk: it checks whether it was cancelled, and
/// tells how far it has come. Belongs to the export's thread.
package final class ExportWait {
    private let cancellation: Cancellation
    /// Called about ten times a second while the export waits.
    package var onLook: () -> Void = {}
    /// Bytes that a compressor got and has not compressed yet.
    package var pendingBytes: UInt64 = 0
    package var phase = ExportProgress.Phase.exporting

    /// How long to wait before the next look, in seconds and in milliseconds.
    package static let interval = 0.1
    package static let pollInterval: CInt = 100

    package init(_ cancellation: Cancellation) {
        self.cancellation = cancellation
    }

    /// Tells how far the export has come, unless it is to end.
    /// - Throws: `cancelled` if the export is to end.
    package func look() throws(ImageError) {
        try check()
        onLook()
    }

    /// As `look`, without telling anything.
    /// - Throws: `cancelled` if the export is to end.
    package func check() throws(ImageError) {
        if cancellation.isRequested { throw ImageError(.cancelled, "the export was cancelled") }
    }

    /// Has a file's content written to the disk, part by part: one fsync of a large file can't be ended.
    /// - Parameter action: what can't be done, if it fails.
    /// - Throws: `cancelled`; `noSpace` or `system` if the disk refuses.
    package func writeBack(_ file: CInt, _ action: @autoclosure () -> String) throws(ImageError) {
        let before = phase
        phase = .syncing
        defer { phase = before }
        do throws(Errno) {
            let size = try System.status(of: file).size
            // All of it is begun at once, so that the disk has the choice of the order.
            try System.writeBack(file, 0..<size, waits: false)
            var start: UInt64 = 0
            while start < size {
                let end = min(size, start + Self.writeBackSize)
                try System.writeBack(file, start..<end, waits: true)
                start = end
                do throws(ImageError) { try look() } catch { throw Errno.ECANCELED }
            }
        } catch .ECANCELED {
            try check()
        } catch .ESPIPE, .EINVAL, .ENOSYS, .EOPNOTSUPP {
            // Not every file system knows it; the fsync that follows does the work.
        } catch {
            throw ImageError(action(), error)
        }
    }

    /// In bytes: what a slow SD card takes in less than half a second.
    private static let writeBackSize: UInt64 = 4 << 20
}
