import Glibc
import LinuxFiles
import P9Client
import P9Server
import P9Wire
import TestSupport
import Testing

/// A server that may have 256 descriptors: 192 for fids.
@Suite("More fids than descriptors")
struct DescriptorTests {
    private let server: TestServer
    private let client: Client
    private let root: Fid

    private static let limit = 192

    init() throws {
        server = try TestServer(descriptorLimit: 256)
        (client, root) = try server.attached()
    }

    private func walkToFiles(_ count: Int, beneath directory: String = "") throws -> [Fid] {
        if !directory.isEmpty { try server.tree.makeDirectory(directory) }
        let parent = directory.isEmpty ? root : try client.walk(root, directory)
        return try (0..<count).map { index in
            try server.tree.write("\(directory)/file-\(index)", "\(index)")
            return try client.walk(parent, "file-\(index)")
        }
    }

    private func expectAll(_ fids: [Fid], sourceLocation: SourceLocation = #_sourceLocation) throws {
        for (index, fid) in fids.enumerated() {
            let size = try client.getAttributes(fid).size
            #expect(Int(size) == "\(index)".utf8.count, sourceLocation: sourceLocation)
        }
    }

    @Test("2,000 fids work with 256 descriptors, and none is lost")
    func manyFids() throws {
        let fids = try walkToFiles(2000)
        for _ in 0..<3 {
            try expectAll(fids)
            #expect(server.tree.openDescriptors <= Self.limit + 4)
        }
        for (index, fid) in fids.enumerated().reversed() {
            let open = try client.walk(fid, [String]())
            try client.open(open)
            #expect(try client.readAll(open) == Array("\(index)".utf8))
            try client.clunk(open)
            try client.clunk(fid)
        }
        #expect(server.tree.openDescriptors <= 4)
    }

    @Test("fids that come back to life count, as do those walked to after others were clunked")
    func reopenedCount() throws {
        let fids = try walkToFiles(1000)
        for fid in fids.dropLast(10) { try client.clunk(fid) }
        let again = try (0..<600).map { try client.walk(root, "file-\($0)") }
        #expect(server.tree.openDescriptors <= Self.limit + 4)
        try expectAll(again)
        #expect(server.tree.openDescriptors <= Self.limit + 4)
    }

    @Test("several sessions share the descriptors")
    func sessions() throws {
        let fids = try walkToFiles(400)
        let others = try (0..<5).map { _ in try server.attached() }
        for (other, top) in others {
            let walked = try (0..<100).map { try other.walk(top, "file-\($0)") }
            for fid in walked { _ = try other.getAttributes(fid) }
        }
        try expectAll(fids)
        #expect(server.tree.openDescriptors <= Self.limit + 10)
        withExtendedLifetime(others) {}
    }

    @Test("too many open files are EMFILE for who opens them; other fids and sessions go on")
    func tooManyOpen() throws {
        try server.tree.write("file", "text")
        var open: [Fid] = []
        while open.count < 1000 {
            do throws(ClientError) {
                open.append(try client.opened(root, "file"))
            } catch {
                #expect(error == .refused(.EMFILE))
                break
            }
        }
        #expect(open.count > 60 && open.count <= Self.limit)
        #expect(try client.readAll(open[0]) == Array("text".utf8))
        for fid in open { try client.clunk(fid) }
        let (other, top) = try server.attached()
        #expect(try other.readAll(other.opened(top, "file")) == Array("text".utf8))
    }

    @Test("a session that opens all it can leaves others room to walk, open and create")
    func hog() throws {
        try server.tree.write("file", "text")
        do {
            let (hog, top) = try server.attached()
            while (try? hog.opened(top, "file")) != nil {}
            expectRefusal(.EMFILE) { try hog.opened(top, "file") }
            expectRefusal(.EMFILE) { try hog.created(top, "new") }
            #expect(try server.tree.names() == ["file"])
            // Nothing is truncated by a Tlopen that fails.
            expectRefusal(.EMFILE) { try hog.opened(top, "file", [.readWrite, .truncate]) }
            #expect(try server.tree.read("file") == Array("text".utf8))
            for index in 0..<5 {
                #expect(try client.readAll(client.opened(root, "file")) == Array("text".utf8))
                try client.clunk(client.created(root, "new-\(index)"))
            }
        }
        // What was open is given back with the session.
        waitUntil { server.tree.openDescriptors < 20 }
        for _ in 0..<60 { _ = try client.opened(root, "file") }
    }

    @Test("parked fids are found again after a rename of their directory through the server")
    func renamedDirectory() throws {
        let fids = try walkToFiles(600, beneath: "dir")
        try server.tree.makeDirectory("other")
        try client.rename(root, "dir", to: client.walk(root, "other"), "new")
        try expectAll(fids)
        try client.rename(client.walk(root, ["other", "new"]), to: root, "back")
        try expectAll(fids)
        let (other, top) = try server.attached()
        try other.rename(top, "back", to: top, "dir")
        try expectAll(fids)
    }

    @Test("parked fids are found again after a rename of the file itself")
    func renamedFile() throws {
        let fids = try walkToFiles(600)
        for index in 0..<600 { try client.rename(root, "file-\(index)", to: root, "renamed-\(index)") }
        try expectAll(fids)
    }

    @Test("parked fids of two names of one file are found after a rename of one to the other, which does nothing")
    func renamedHardLink() throws {
        try server.tree.write("a", "text")
        #expect(Glibc.link(server.tree.file("a"), server.tree.file("b")) == 0)
        let names = [try client.walk(root, "a"), try client.walk(root, "b")]
        _ = try walkToFiles(600)
        try client.rename(root, "a", to: root, "b")
        for name in names { #expect(try client.getAttributes(name).size == 4) }
    }

    @Test("parked fids are found while several sessions rename the directories above them, and each other's")
    func renamedAllTheTime() throws {
        let count = 4
        try server.tree.makeDirectory("top")
        for index in 0..<count {
            try server.tree.makeDirectory("top/dir-\(index)")
            for number in 0..<150 { try server.tree.write("top/dir-\(index)/file-\(number)", "\(number)") }
        }
        let state = Monitor((running: count, lost: [String]()))
        for index in 0..<count {
            let server = server
            try startThread {
                var lost: [String] = []
                do {
                    lost = try Self.renameAndLook(server, index)
                } catch {
                    lost = ["\(error)"]
                }
                let all = lost
                state.update { state in
                    state.running -= 1
                    state.lost += all
                }
            }
        }
        #expect(state.wait { $0.running == 0 ? $0.lost : nil } == [])
        #expect(server.tree.openDescriptors <= Self.limit + 20)
    }

    /// One session of `renamedAllTheTime`.
    /// - Returns: what was not as it should be.
    private static func renameAndLook(_ server: TestServer, _ index: Int) throws -> [String] {
        let (client, root) = try server.attached()
        let name = try #require(server.tree.names().first { $0.hasPrefix("top") })
        // It may just have got another name.
        guard let top = try? client.walk(root, name) else { return try renameAndLook(server, index) }
        let directory = try client.walk(top, "dir-\(index)")
        let fids = try (0..<150).map { try client.walk(directory, "file-\($0)") }
        var lost: [String] = []
        for round in 0..<6 {
            // By a fid that is parked itself.
            try client.rename(directory, to: top, "new-\(index)-\(round)")
            if index == 0 { try client.rename(top, to: root, "top-\(round)") }
            for (number, fid) in fids.enumerated() {
                let size = try client.getAttributes(fid).size
                if Int(size) != "\(number)".utf8.count { lost.append("\(number) has another file's size") }
            }
        }
        return lost
    }

    @Test("fids of removed files stay what they were, cost nobody else's, and are given back")
    func removedFiles() throws {
        let (hog, top) = try server.attached()
        try server.tree.write("file", "text")
        var held: [Fid] = []
        while held.count < 1000 {
            try server.tree.write("removed", "\(held.count)")
            guard let fid = try? hog.walk(top, "removed") else { break }
            held.append(fid)
            try hog.unlink(top, "removed")
        }
        #expect(held.count > 60 && held.count < Self.limit)
        for (index, fid) in held.enumerated() {
            #expect(try Int(hog.getAttributes(fid).size) == "\(index)".utf8.count)
        }
        // Another session walks to more than it can hold, opens, creates.
        let fids = try walkToFiles(600)
        try expectAll(fids)
        #expect(try client.readAll(client.opened(root, "file")) == Array("text".utf8))
        try client.clunk(client.created(root, "new"))
        for fid in held { try hog.clunk(fid) }
        for _ in 0..<60 { _ = try hog.opened(top, "file") }
    }

    @Test("a walk that ends for want of descriptors is EMFILE, and not a file that isn't there")
    func walkWithoutDescriptors() throws {
        try server.tree.makeDirectory("dir")
        try server.tree.write("dir/file", "text")
        let directory = try client.walk(root, "dir")
        while (try? client.opened(directory, "file")) != nil {}
        expectRefusal(.EMFILE) { try client.walk(root, ["dir", "file"]) }
    }

    @Test("a parked fid whose file the host replaced is ESTALE; one whose file is gone is ENOENT")
    func replaced() throws {
        let fids = try walkToFiles(600)
        for index in 0..<600 where index % 2 == 0 {
            try server.tree.write("new", "another")
            try server.tree.rename("new", to: "file-\(index)")
        }
        for index in 0..<600 where index % 2 == 1 { server.tree.remove("file-\(index)") }
        var stale = 0
        for (index, fid) in fids.enumerated() {
            do throws(ClientError) {
                // A fid that kept its descriptor still is the old file.
                #expect(try client.getAttributes(fid).size == "\(index)".utf8.count)
            } catch {
                #expect(error == .refused(index % 2 == 0 ? .ESTALE : .ENOENT))
                stale += 1
            }
        }
        #expect(stale > 300)
    }

    @Test("a parked path that has come to lead through a symbolic link isn't followed")
    func parkedBehindSymlink() throws {
        let fids = try walkToFiles(600, beneath: "dir")
        try server.base.rename("tree/dir", to: "outside")
        try server.tree.makeSymlink("dir", to: "../outside")
        var refused = 0
        for fid in fids {
            do throws(ClientError) {
                _ = try client.getAttributes(fid)
            } catch {
                #expect(error == .refused(.ELOOP) || error == .refused(.ESTALE))
                refused += 1
            }
        }
        #expect(refused > 300)
    }

    @Test("an open file survives parking and removal, with all its requests")
    func openIsNotParked() throws {
        try server.tree.write("open", "text")
        let walked = try client.walk(root, "open")
        let open = try client.walk(walked, [String]())
        try client.open(open, .readWrite)
        let fids = try walkToFiles(600)
        try client.unlink(root, "open")
        try expectAll(fids)
        #expect(try client.getAttributes(open).linkCount == 0)
        try client.set(open, [.size, .mode], mode: 0o600, size: 2)
        #expect(try client.readAll(open) == Array("te".utf8))
        #expect(try client.getAttributes(client.walk(open, [String]())).size == 2)
    }

    @Test("no descriptor is left when clients go, however they go", arguments: Link.allCases)
    func noLeak(link: Link) throws {
        let server = try TestServer(link)
        for index in 0..<20 { try server.tree.write("file-\(index)", "text") }
        let idle = server.tree.openDescriptors
        for round in 0..<20 {
            let (client, root) = try server.attached()
            for index in 0..<20 { _ = try client.opened(root, "file-\(index)") }
            _ = try client.opened(root, ".")
            _ = try client.created(root, "new-\(round)")
            if round % 2 == 0 { _ = try? client.attribute(root, "user.none") }
        }
        waitUntil { server.tree.openDescriptors == idle }
        #expect(server.tree.openDescriptors == idle)
    }

    @Test("fids are bounded: ENFILE, and the session goes on")
    func boundedFids() throws {
        let server = try TestServer(maximumFids: 50)
        let (client, root) = try server.attached()
        var fids: [Fid] = []
        for _ in 1..<50 { fids.append(try client.walk(root, [String]())) }
        expectRefusal(.ENFILE) { try client.walk(root, [String]()) }
        expectRefusal(.ENFILE) { try client.attach() }
        try client.clunk(fids[0])
        _ = try client.walk(root, [String]())
    }
}
