import CommandSupport
import FakeRoot
import LinuxFiles
import TestSupport
import Testing
import TreeTools

/// A directory "root" with some files of root's, without a database.
struct TreeToolsFixture {
    let host: TemporaryDirectory

    init() throws {
        host = try TemporaryDirectory()
        let script = """
            cd "$0"; mkdir -p root/etc root/bin root/deep/er; cd root
            printf 'root:x:0:0::/:/bin/sh\\nuser:x:1000:1000::/:/bin/sh\\n' > etc/passwd
            printf 'root:x:0:\\ndisk:x:6:\\nuser:x:1000:\\n' > etc/group
            printf program > bin/su; ln -s su bin/link; : > deep/er/file
            chmod 755 . etc bin deep deep/er bin/su; chmod 644 etc/* deep/er/file
            touch -d '2020-02-03 04:05:06' . */* * deep/er/file
            """
        let result = try run("sh", "-c", "set -e; umask 022; " + script, host.path)
        try #require(result.status == 0, "\(result.output)")
    }

    func path(_ name: String) -> String { host.file("root/\(name)") }

    var paths: TreePaths { TreePaths(root: host.file("root"), acceptsForeignFiles: false) }

    /// What the board sees: "0:6 100640".
    func seen(_ name: String) throws -> String {
        let status = try paths.open(path(name), following: false).status()
        return "\(status.uid):\(status.gid) \(String(status.mode, radix: 8))"
    }

    /// The failure that `body` ends with.
    func failure(_ body: () throws -> Void) throws -> CommandFailure {
        do {
            try body()
        } catch {
            return try #require(error as? CommandFailure, "\(error)")
        }
        return try #require(nil as CommandFailure?, "it succeeded")
    }
}
