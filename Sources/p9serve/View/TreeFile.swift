import CommandSupport
import FakeRoot
import LinuxFiles
import RootfsImage

/// An open file of a tree.
struct TreeFile: ~Copyable {
    let tree: FakeRootTree
    let names: AccountNames
    /// As the user wrote it, and for files found beneath that with their names added.
    let path: String
    /// O_PATH.
    let descriptor: OwnedDescriptor

    func status() throws -> BoardStatus {
        do throws(Errno) {
            return try tree.status(of: descriptor.raw)
        } catch {
            throw CommandFailure(path: path, "can't look at", error)
        }
    }
}

/// The place of a file that is to be made.
struct NewTreeFile: ~Copyable {
    let directory: TreeFile
    let name: String
}
