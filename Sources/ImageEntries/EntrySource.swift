/// Gives the files of a root filesystem one after the other: a directory before what is in it, a file before its other
/// names.
///
/// Belongs to one thread.
package protocol EntrySource: AnyObject {
    /// The next entry; nil after the last.
    /// - Throws: `badArchive`, `refusedEntry` with the entry's name for what Linux doesn't have, `cancelled`.
    func next() throws(ImageError) -> ImageEntry?

    /// Calls `body` with every piece of the content of the entry given last, and its offset in bytes; what lies between
    /// is a hole. Content that nobody asks for is skipped.
    func forEachBlock(_ body: (UnsafeRawBufferPointer, Int64) throws(ImageError) -> Void) throws(ImageError)

    /// What was odd but not wrong about the entry given last; printable.
    var notice: String? { get }

    /// What was odd about the source as a whole; known after `finish`, printable.
    var closingNotices: [String] { get }

    /// To be called after the last entry: verifies what can be verified only then, such as a checksum at the end.
    func finish() throws(ImageError)

    /// Bytes of the source read so far, for a progress bar.
    var bytesRead: UInt64 { get }

    /// Bytes in the whole source; nil where nobody knows, as with a pipe.
    var bytesTotal: UInt64? { get }

    /// About how many entries there are, for a progress bar where bytes don't tell; nil if nobody knows.
    var entriesTotal: Int? { get }

    /// The layer that the entry given last belongs to, counted from 0; nil for everything but an image in layers. In a layer,
    /// names with ".wh." before them remove what lower layers have.
    var layer: Int? { get }
}

extension EntrySource {
    package var notice: String? { nil }
    package var closingNotices: [String] { [] }
    package var entriesTotal: Int? { nil }
    package var layer: Int? { nil }
}
