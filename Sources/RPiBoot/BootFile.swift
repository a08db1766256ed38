internal import LinuxFiles

/// A file that a board may have: all of a host's file, or a member of an archive.
///
/// Stays the same file when another one takes its name.
public final class BootFile: Sendable {
    /// Bytes; no more than a board's signed 32 bits can hold.
    public let size: UInt32
    /// Where it was found, relative to the directory, such as "2711/config.txt" or "2712/bootmain in bootfiles.bin".
    public let origin: String
    private let descriptor: OwnedDescriptor
    private let offset: UInt64

    init(_ descriptor: consuming OwnedDescriptor, _ range: Range<UInt64>, origin: String) {
        self.descriptor = descriptor
        offset = range.lowerBound
        size = UInt32(range.upperBound - range.lowerBound)
        self.origin = origin
    }

    /// The most bytes a file may have.
    static let maximumSize = UInt64(Int32.max)

    /// Reads a piece.
    /// - Throws: the `Errno` of the read; `EPIPE` if the file has become shorter than `size`.
    func read(into buffer: UnsafeMutableRawBufferPointer, at position: UInt32) throws(Errno) {
        let count = try System.read(descriptor.raw, into: buffer, at: Int64(offset) + Int64(position))
        guard count == buffer.count else { throw .EPIPE }
    }

    /// All of a small file.
    func content() throws(Errno) -> [UInt8] {
        var content = [UInt8](repeating: 0, count: Int(size))
        try content.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
            try read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        return content
    }
}
