internal import FakeRoot
internal import LinuxFiles

/// The metadata database of a tree that never came.
extension StagingDirectory {
    /// SQLite's own files lie beside a database.
    private static let suffixes = [""] + FakeRootTree.databaseCompanions

    /// Removes a database, best effort; it must be closed.
    static func removeDatabase(_ path: String) {
        for suffix in suffixes {
            let bytes = Array((path + suffix).utf8CString)
            _ = bytes.span.withUnsafeBufferPointer { bytes in
                bytes.baseAddress.map { try? System.unlink(at: System.atCurrentDirectory, $0, isDirectory: false) }
            }
        }
    }

    /// What the user would remove along with a tree: beside it as its own path is written, elsewhere absolute.
    static func databaseName(_ tree: String) -> String? {
        guard let opened = try? FakeRootTree(directory: tree, mayRaiseModes: false), let database = opened.databasePath
        else { return nil }
        let (parent, last) = split(tree)
        let name = ".\(last).usb9pfs.db"
        guard database.hasSuffix("/\(name)") else { return database }
        return parent == "." ? name : parent == "/" ? "/\(name)" : "\(parent)/\(name)"
    }

    /// Removes the database of a directory left by a killed import.
    static func removeDatabase(of name: [UInt8], in parent: CInt) {
        for suffix in suffixes {
            let bytes = Array(".".utf8) + name + Array(".usb9pfs.db\(suffix)".utf8)
            guard let name = try? FileName(bytes.span.bytes) else { continue }
            _ = name.withCString { try? System.unlink(at: parent, $0, isDirectory: false) }
        }
    }
}
