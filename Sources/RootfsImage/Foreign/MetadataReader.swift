internal import ImageEntries

/// Knows what one tool's metadata say of the files in a directory.
protocol MetadataReader: AnyObject {
    /// - Returns: nil for a file that holds metadata, and is not in the tree.
    /// - Throws: `badArchive` for metadata that can't be read, `permission`.
    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata?

    /// Whether the metadata say anything of a file. Of others the host's own owner or mode counts.
    func knows(_ file: HostFile) throws(ImageError) -> Bool

    /// What the metadata say is in a directory that the host doesn't have there, by name.
    /// - Parameter existing: the names that the host has.
    func additions(to directory: [UInt8], existing: Set<[UInt8]>) throws(ImageError) -> [[UInt8]: FileMetadata]

    /// To be called after the last file.
    /// - Returns: what was odd about the whole, one sentence each.
    func finish() throws(ImageError) -> [String]
}

extension MetadataReader {
    func knows(_ file: HostFile) throws(ImageError) -> Bool { false }

    func additions(to directory: [UInt8], existing: Set<[UInt8]>) throws(ImageError) -> [[UInt8]: FileMetadata] { [:] }

    func finish() throws(ImageError) -> [String] { [] }
}
