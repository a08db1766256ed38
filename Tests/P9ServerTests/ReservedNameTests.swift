import LinuxFiles
import P9Client
import P9Wire
import TestSupport
import Testing

/// A board and the names that don't exist for it: metadata databases above all.
@Suite struct ReservedNameTests {
    static let names = [".home.usb9pfs.db", ".home.usb9pfs.db-shm", ".home.usb9pfs.db-wal", ".usb9pfs-new.1.1"]

    @Test(arguments: names) func databaseInAnExportWasWithinReach(_ name: String) throws {
        let server = try TestServer()
        try server.tree.write(name, "rows")
        try server.tree.write("f", "")
        let (client, root) = try server.attached()
        let other = try server.attached()
        let file = try client.walk(root, ["f"])
        expectRefusal(.ENOENT) { try client.walk(root, [name]) }
        expectRefusal(.EINVAL) { try client.makeSymlink(root, name, target: "/etc/passwd") }
        expectRefusal(.EINVAL) { try client.makeDirectory(root, name, mode: 0o755) }
        expectRefusal(.EINVAL) { try client.link(root, file, name) }
        expectRefusal(.EINVAL) { try client.rename(file, to: root, name) }
        expectRefusal(.ENOENT) { try client.rename(root, name, to: root, "g") }
        expectRefusal(.ENOENT) { try client.unlink(root, name) }
        let directory = try client.opened(root, ".")
        #expect(try client.readDirectory(directory).map(\.name).sorted() == [".", "..", "f"])
        #expect(try server.tree.read(name) == Array("rows".utf8))
        _ = try other.client.walk(other.root, ["f"])
    }
}
