package import ImageEntries
internal import LinuxFiles

/// Writes to a file or a pipe; the descriptor stays its owner's.
package final class DescriptorOutput: ByteOutput {
    private let descriptor: CInt
    /// As it may be printed.
    private let name: String
    package private(set) var count: UInt64 = 0
    private let wait: ExportWait?

    /// PIPE_BUF: as much as a pipe takes without waiting when there is room at all, in bytes.
    private static let pipeWrite = 4096

    /// Writes to a descriptor that stays its owner's.
    /// - Parameter wait: also ends a write to a pipe that nobody reads.
    package init(_ descriptor: CInt, name: String, _ wait: ExportWait) {
        self.descriptor = descriptor
        self.name = name
        let isFile = (try? System.status(of: descriptor).format) == .regular
        self.wait = isFile ? nil : wait
    }

    package func write(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        var rest = bytes
        while rest.count > 0 {
            let part = wait == nil ? rest : UnsafeRawBufferPointer(rebasing: rest.prefix(Self.pipeWrite))
            try waitForReader()
            try ImageError.attempt("can't write \(name)") { () throws(Errno) in try System.send(descriptor, part) }
            rest = UnsafeRawBufferPointer(rebasing: rest[part.count...])
        }
        count += UInt64(bytes.count)
    }

    private func waitForReader() throws(ImageError) {
        guard let wait else { return }
        while true {
            let isReady = try ImageError.attempt("can't write \(name)") { () throws(Errno) in
                try System.waitUntilWritable(descriptor, milliseconds: ExportWait.pollInterval)
            }
            if isReady { return }
            try wait.look()
        }
    }

    package func finish() {}
}
