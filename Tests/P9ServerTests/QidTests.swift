import Glibc
import LinuxFiles
import P9Client
import P9Server
import P9Wire
import ServedTree
import TestSupport
import Testing

/// What a board has in its cache counts on a file's qid, after the server's restart too.
@Suite("Qids")
struct QidTests {
    private func qids(of directory: any HostFiles, _ names: [String]) throws -> [Qid] {
        let sockets = SocketServer(ServerConfiguration(exports: [try Export(directory: directory.path)])) { _ in }
        var ends: [CInt] = [-1, -1]
        guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw Errno.last
        }
        _ = try sockets.listen(on: .descriptors(input: ends[1], output: ends[1]))
        let client = try Client(FrameSocket(owning: OwnedDescriptor(owning: ends[0])), msize: 65_536)
        let root = try client.attach()
        let entries = try listing(client, root)
        return try names.map { name in
            let fid = try client.walk(root, name.split(separator: "/").map(String.init))
            let status = try client.getAttributes(fid)
            // A directory that something is mounted on included.
            if let entry = entries.first(where: { $0.name == name }) { #expect(entry.qid == status.qid) }
            return status.qid
        }
    }

    private func listing(_ client: Client, _ root: Fid) throws -> [(name: String, qid: Qid)] {
        let directory = try client.walk(root, [String]())
        try client.open(directory)
        return try client.readDirectory(directory).map { ($0.name, $0.qid) }
    }

    @Test("are the same in every server of a tree, in whatever order it is asked")
    func restart() throws {
        let directory = try TemporaryDirectory()
        let names = (0..<10).map { "file-\($0)" }
        for name in names { try directory.write(name, "") }
        let first = try qids(of: directory, names)
        #expect(try qids(of: directory, names.reversed()) == first.reversed())
        #expect(try first.map(\.path) == names.map { try directory.status($0).inode })
    }

    /// They were numbered in the order in which they were seen.
    @Test("are the same for large inode numbers", .enabled(if: StallingFileSystem.isPossible))
    func largeInodes() throws {
        let names = (0..<10).map { "file-\($0)" }
        let files = try StallingFileSystem(files: names, firstInode: .max - 10, directory: TemporaryDirectory())
        defer { files.release() }
        let first = try qids(of: files, names)
        #expect(try qids(of: files, names.reversed()) == first.reversed())
        #expect(Set(first).count == 10 && first.allSatisfy { $0.path >> 63 == 1 })
    }

    @Test("are the same for what is mounted in a tree, and not those of the tree's own", .enabled(if: Ramfs.isPossible))
    func mounted() throws {
        guard System.effectiveUser == 0 else { return }
        let directory = try TemporaryDirectory()
        try directory.makeDirectory("mounted")
        #expect(try run("mount", "-t", "ramfs", "none", directory.file("mounted")).status == 0)
        defer { _ = try? run("umount", "-l", directory.file("mounted")) }
        let names = (0..<10).map { "mounted/file-\($0)" }
        for name in names { try directory.write(name, "") }
        let first = try qids(of: directory, names)
        #expect(try qids(of: directory, names.reversed()) == first.reversed())
        #expect(Set(first).count == 10 && first.allSatisfy { $0.path >> 63 == 1 })
        #expect(try qids(of: directory, ["mounted"])[0].path >> 63 == 1)
    }
}
