/// Takes the files of a root filesystem one after the other, and makes an archive or an image of them.
///
/// Their order depends only on the tree: a directory comes before what is in it, names in the order of their bytes, the first
/// of a file's names with its content and the others as hard links to it.
package protocol EntrySink: AnyObject {
    /// - Parameter content: what a regular file holds; nil for everything else.
    func add(_ entry: ImageEntry, content: FileReader?) throws(ImageError)

    /// Completes the target. Until then it is not valid; what is abandoned leaves nothing behind.
    func finish() throws(ImageError)

    /// What the target's format could not hold so far.
    var losses: ExportLosses { get }
}

extension EntrySink {
    package var losses: ExportLosses { ExportLosses() }
}
