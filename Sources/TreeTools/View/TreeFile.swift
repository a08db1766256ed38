internal import CommandSupport
public import FakeRoot
public import LinuxFiles
public import RootfsImage

/// An open file of a tree.
public struct TreeFile: ~Copyable {
    /// The tree that has the file.
    public let tree: FakeRootTree
    /// The board's users and groups.
    public let names: AccountNames
    /// As the user wrote it, and for files found beneath that with their names added.
    public let path: String
    /// O_PATH.
    public let descriptor: OwnedDescriptor

    /// Reads owner, mode, size and times, as the board sees them.
    /// - Throws: `CommandFailure`.
    public func status() throws -> BoardStatus {
        do throws(Errno) {
            return try tree.status(of: descriptor.raw)
        } catch {
            throw CommandFailure(path: path, "can't look at", error)
        }
    }
}

/// The place of a file that is to be made.
public struct NewTreeFile: ~Copyable {
    /// Where it will be.
    public let directory: TreeFile
    /// What it will be called.
    public let name: String
}

extension TreeFile {
    /// Whether the host has a directory there.
    var isDirectory: Bool {
        get throws {
            do throws(Errno) {
                return try System.status(of: descriptor.raw).format == .directory
            } catch {
                throw CommandFailure(path: path, "can't look at", error)
            }
        }
    }
}
