internal import FakeRoot
internal import LinuxFiles

/// Where the bytes of an archive go.
protocol ByteOutput: AnyObject {
    func write(_ bytes: UnsafeRawBufferPointer) throws(ImageError)

    /// Writes what is still held back; nothing follows.
    func finish() throws(ImageError)
}

extension ByteOutput {
    func write(_ bytes: [UInt8]) throws(ImageError) {
        try bytes.span.withUnsafeBytes { (bytes) throws(ImageError) in try write(bytes) }
    }
}

/// Writes to a file or a pipe; the descriptor stays its owner's.
final class DescriptorOutput: ByteOutput {
    private let descriptor: CInt
    /// As it may be printed.
    private let name: String
    private(set) var count: UInt64 = 0
    private let wait: ExportWait?

    /// PIPE_BUF: as much as a pipe takes without waiting when there is room at all, in bytes.
    private static let pipeWrite = 4096

    /// - Parameter wait: also ends a write to a pipe that nobody reads.
    init(_ descriptor: CInt, name: String, _ wait: ExportWait) {
        self.descriptor = descriptor
        self.name = name
        let isFile = (try? System.status(of: descriptor).format) == .regular
        self.wait = isFile ? nil : wait
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
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

    func finish() {}
}

/// Joins small writes, so that what is behind gets 256 KiB at a time.
final class BufferedOutput: ByteOutput {
    private let next: any ByteOutput
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
    private var used = 0
    /// Bytes written so far, the buffer's included.
    private(set) var count: UInt64 = 0

    init(_ next: any ByteOutput) {
        self.next = next
    }

    deinit {
        buffer.deallocate()
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        count += UInt64(bytes.count)
        var rest = bytes
        while !rest.isEmpty {
            if used == 0, rest.count >= buffer.count { return try next.write(rest) }
            let part = min(rest.count, buffer.count - used)
            UnsafeMutableRawBufferPointer(rebasing: buffer[used...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<part]))
            used += part
            rest = UnsafeRawBufferPointer(rebasing: rest[part...])
            if used == buffer.count { try flush() }
        }
    }

    /// Writes bytes of value 0.
    func write(zeros count: UInt64) throws(ImageError) {
        self.count += count
        var rest = count
        while rest > 0 {
            let part = Int(min(rest, UInt64(buffer.count - used)))
            UnsafeMutableRawBufferPointer(rebasing: buffer[used..<used + part])
                .initializeMemory(as: UInt8.self, repeating: 0)
            used += part
            rest -= UInt64(part)
            if used == buffer.count { try flush() }
        }
    }

    /// Fills up with zeros to a multiple of so many bytes.
    func pad(to alignment: UInt64) throws(ImageError) {
        let excess = count % alignment
        if excess > 0 { try write(zeros: alignment - excess) }
    }

    private func flush() throws(ImageError) {
        guard used > 0 else { return }
        try next.write(UnsafeRawBufferPointer(rebasing: buffer[..<used]))
        used = 0
    }

    func finish() throws(ImageError) {
        try flush()
        try next.finish()
    }
}

/// Hashes what it passes on.
final class HashingOutput: ByteOutput {
    private let next: any ByteOutput
    private var hash = SHA256()
    private(set) var count: UInt64 = 0

    init(_ next: any ByteOutput) {
        self.next = next
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        hash.update(bytes)
        count += UInt64(bytes.count)
        try next.write(bytes)
    }

    func finish() throws(ImageError) {
        try next.finish()
    }

    /// Of all bytes so far; to be taken once.
    func digest() -> String { SHA256.text(hash.finish()) }
}
