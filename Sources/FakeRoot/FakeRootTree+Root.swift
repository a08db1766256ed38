internal import LinuxFiles

extension FakeRootTree {
    /// Whether a directory is the root of a tree that has a metadata database beside it.
    public static func hasDatabase(directory path: String) -> Bool {
        let parts = path.split(separator: "/")
        guard let name = parts.last else { return false }
        let database = "/" + parts.dropLast().map { $0 + "/" }.joined() + ".\(name).usb9pfs.db"
        return (try? System.open(database, [.path])) != nil
    }
}
