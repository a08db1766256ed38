public import LinuxFiles

/// The identity of a directory, by any path.
///
/// Good as long as somebody holds the directory open: an inode number may be used again.
public struct DirectoryID: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64

    /// Identifies the directory that a descriptor holds.
    /// - Parameter descriptor: of the directory, O_PATH is enough.
    /// - Throws: as `statx(2)`.
    public init(of descriptor: CInt) throws(Errno) {
        let status = try System.status(of: descriptor)
        (device, inode) = (status.device, status.inode)
    }

    /// Whether a directory is one of these or lies beneath one, as far up as ".." leads.
    ///
    /// The names on the way don't matter: a bind mount or a renamed directory is found as well. A directory whose parents
    /// can't be looked at counts as one that lies beneath, to be safe.
    static func isBeneath(_ directory: CInt, _ others: Set<DirectoryID>) -> Bool {
        guard !others.isEmpty else { return false }
        do throws(Errno) {
            var id = try DirectoryID(of: directory)
            var held = try System.open(at: directory, ".", [.path, .directory])
            while true {
                if others.contains(id) { return true }
                let parent = try System.open(at: held.raw, "..", [.path, .directory])
                let above = try DirectoryID(of: parent.raw)
                if above == id { return false }
                id = above
                held = parent
            }
        } catch {
            return true
        }
    }
}
