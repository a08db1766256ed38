internal import LinuxFiles
internal import P9Wire
internal import ServedTree

extension Qid {
    /// A file's qid, unique in its export.
    ///
    /// The version is constant: for the Linux client it is a part of the file's identity, and 0 turns caching off.
    init(_ id: FileID) {
        let kind: Kind =
            switch id.format {
            case .directory: .directory
            case .symlink: .symlink
            default: .file
            }
        self.init(kind: kind, version: 1, path: id.number)
    }
}
