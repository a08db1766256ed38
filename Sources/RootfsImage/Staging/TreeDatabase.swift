internal import FakeRoot
internal import LinuxFiles

/// The files of a metadata database whose tree never came.
enum TreeDatabase {
    /// SQLite's own files lie beside a database.
    private static let suffixes = [""] + FakeRootTree.databaseCompanions

    /// Removes a database, best effort; it must be closed.
    static func remove(_ path: String) {
        for suffix in suffixes {
            let bytes = Array((path + suffix).utf8CString)
            _ = bytes.span.withUnsafeBufferPointer { bytes in
                bytes.baseAddress.map { try? System.unlink(at: System.atCurrentDirectory, $0, isDirectory: false) }
            }
        }
    }

    /// Removes the database beside a directory.
    static func remove(ofTree name: [UInt8], in parent: CInt) {
        for suffix in suffixes {
            let bytes = Array(".".utf8) + name + Array(".usb9pfs.db\(suffix)".utf8)
            guard let name = try? FileName(bytes.span.bytes) else { continue }
            _ = name.withCString { try? System.unlink(at: parent, $0, isDirectory: false) }
        }
    }

    /// What the user would remove along with a tree: beside it as its own path is written, elsewhere absolute.
    static func name(ofTree path: String) -> String? {
        guard let opened = try? FakeRootTree(directory: path, mayRaiseModes: false), let database = opened.databasePath
        else { return nil }
        let (parent, last) = Destination.split(path)
        let name = ".\(last).usb9pfs.db"
        guard database.hasSuffix("/\(name)") else { return database }
        return parent == "." ? name : parent == "/" ? "/\(name)" : "\(parent)/\(name)"
    }
}
