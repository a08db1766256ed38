internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Writes one tool's metadata for a tree, in two passes: first it describes all files beside the metadata that are
/// there, then it replaces the host files that the tool wants to be of another type.
protocol MetadataWriter: AnyObject {
    /// What can't be kept of a file.
    func losses(of file: ForeignFile) -> ConversionLosses

    /// Whether an earlier, interrupted pass has described a file already.
    func hasDescribed(_ file: ForeignFile) throws(ImageError) -> Bool

    /// Writes the metadata of a file, unless it will be replaced. Called for each name.
    /// - Returns: how many attributes the host could not hold.
    func describe(_ file: ForeignFile) throws(ImageError) -> Int

    /// Reads what has just been written with a file; nil for metadata apart from the files.
    var reader: (any MetadataReader)? { get }

    /// To be called after all files were described: what was written is whole and on the disk then.
    func finishDescribing() throws(ImageError)

    func replacement(of file: ForeignFile) throws(ImageError) -> Replacement

    /// Makes what is to take the place of a host's file, with its metadata, under another name.
    func replace(_ file: ForeignFile, as name: borrowing FileName, in directory: CInt) throws(ImageError)

    /// To be called after the last replacement.
    func finishReplacing() throws(ImageError)

    /// Removes what was written apart from the tree, after a failure.
    func abandon()

    /// The metadata file, for the kinds that have one.
    var file: String? { get }
}

/// What becomes of a host's file when the way of keeping metadata changes.
enum Replacement {
    case keep
    case replace
    /// The tool makes the file anew.
    case remove
}

extension MetadataWriter {
    var reader: (any MetadataReader)? { nil }
    func finishDescribing() throws(ImageError) {}
    func finishReplacing() throws(ImageError) {}
    func abandon() {}
    var file: String? { nil }
}

extension ForeignFile {
    /// The descriptor's number; valid as long as the file is.
    func requireDescriptor() throws(ImageError) -> CInt {
        switch descriptor {
        case .some(let descriptor): return descriptor.raw
        case nil: throw ImageError("can't open \(description)", .ENOENT)
        }
    }

    /// What the host's own file is; nil if it has none.
    var format: FileFormat? { status?.format }

    /// The first of a file's names, or a directory: where metadata of the file itself are to be written.
    var isFirst: Bool { firstName == nil }
}

/// What a file system says that has no room for an attribute; for a small one ENOSPC means a full disk.
func isNoRoom(_ error: Errno, for value: [UInt8]) -> Bool {
    switch error {
    case .E2BIG, .ERANGE, .EOPNOTSUPP: true
    case .ENOSPC: value.count > 1024
    default: false
    }
}
