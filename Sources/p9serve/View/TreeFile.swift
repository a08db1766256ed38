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

    /// What a directory holds, in the order of names; nothing for other files.
    func forEachChild(_ body: (consuming TreeFile) throws -> Void) throws {
        do throws(Errno) {
            guard try System.status(of: descriptor.raw).format == .directory else { return }
        } catch {
            throw CommandFailure(path: path, "can't look at", error)
        }
        for name in try childNames() {
            try body(try child(name))
        }
    }

    private func childNames() throws -> [[UInt8]] {
        do throws(Errno) {
            let directory = try tree.open(descriptor.raw, [.readOnly, .directory])
            return try System.names(in: directory.raw).filter { bytes in
                guard let name = try? FileName(bytes.span.bytes) else { return false }
                return !FakeRootTree.isReservedName(name)
            }.sorted { $0.lexicographicallyPrecedes($1) }
        } catch {
            throw CommandFailure(path: path, "can't read the directory", error)
        }
    }

    private func child(_ bytes: [UInt8]) throws -> TreeFile {
        let name = String(validating: bytes, as: UTF8.self) ?? printable(bytes)
        let childPath = path + (path.hasSuffix("/") ? "" : "/") + name
        do throws(Errno) {
            let found = try tree.lookup(FileName(bytes.span.bytes), in: descriptor.raw)
            return TreeFile(tree: tree, names: names, path: childPath, descriptor: found)
        } catch {
            throw CommandFailure(path: childPath, "can't open", error)
        }
    }

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
