internal import LinuxFiles
internal import P9Wire
internal import ServedTree

extension Qid {
    /// A file's qid, unique in its export.
    ///
    /// The version is constant: the Linux client counts it to the file's identity and turns caching off if it is 0.
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
