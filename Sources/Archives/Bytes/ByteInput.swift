package import ImageEntries

/// Bytes, block after block: an archive's file, a part of one, or what a decoder made.
///
/// One thread reads; any thread may ask for `bytesRead`.
package protocol ByteInput: AnyObject, Sendable {
    /// What messages call it: a path, "standard input".
    var name: String { get }

    /// What a command calls it, as a word of a shell; nil for a pipe, and for a part of a file.
    var word: String? { get }

    /// The next block, valid until the next call; empty at the end. The first has at least 4,096 bytes if there are so
    /// many: enough to recognize a format, however small the pieces a pipe delivers.
    func next() throws(ImageError) -> UnsafeRawBufferPointer

    /// Set after a failure: what C code between the reader and its caller can't carry.
    var failure: ImageError? { get }

    /// Bytes read so far.
    var bytesRead: UInt64 { get }

    /// In bytes; nil for a pipe.
    var size: UInt64? { get }
}

extension ByteInput {
    /// The file in a command of a hint: its path, or a word for the user to replace.
    package var archive: String { word ?? "ARCHIVE" }
}
