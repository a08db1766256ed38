import FakeRoot
import LinuxFiles
@testable import ServedTree
import TestSupport
import Testing

/// Nodes of a client that may hold few descriptors.
@Suite("Nodes, parked and found again")
struct NodeTests {
    private let host: TemporaryDirectory
    private let client: TestClient
    private let files: ServedFiles

    private static let descriptors = 64

    init() throws {
        host = try TemporaryDirectory()
        client = TestClient(descriptors: Self.descriptors)
        files = try ServedFiles(Export(directory: host.path), client)
    }

    /// A node with a handle.
    private func bound(_ path: TestPath) throws -> Node {
        let node = try files.node(path)
        node.bind()
        return node
    }

    private func make(_ count: Int, beneath directory: String = "") throws -> [Node] {
        try (0..<count).map { index in
            let name = "\(directory)file-\(index)"
            try host.write(name, "\(index)")
            return try bound(TestPath(stringLiteral: name))
        }
    }

    private func expectAll(_ nodes: [Node], sourceLocation: SourceLocation = #_sourceLocation) throws {
        for (index, node) in nodes.enumerated() {
            let size = try node.hold().status().host.size
            #expect(Int(size) == "\(index)".utf8.count, sourceLocation: sourceLocation)
        }
    }

    @Test("five hundred nodes work with 64 descriptors, and give them all back")
    func many() throws {
        let idle = host.openDescriptors
        let nodes = try make(500)
        #expect(nodes.count(where: \.isParked) > 400)
        for _ in 0..<2 { try expectAll(nodes) }
        #expect(host.openDescriptors <= idle + Self.descriptors)
        for node in nodes { node.unbind() }
        #expect(client.files.idleCount == 0)
    }

    @Test("a client that goes leaves no descriptor open")
    func gone() throws {
        let before = host.openDescriptors
        do {
            let other = TestClient(sharing: client.pool)
            let files = try ServedFiles(Export(directory: host.path), other)
            for index in 0..<20 {
                try host.write("\(index)", "text")
                let node = try files.node(TestPath(stringLiteral: "\(index)"))
                node.bind()
                let opened = try node.open(.read, by: files.caller)
                withExtendedLifetime(opened) {}
                node.unbind()
            }
            withExtendedLifetime(files) { #expect(host.openDescriptors > before) }
        }
        waitUntil { host.openDescriptors == before }
        #expect(host.openDescriptors == before)
    }

    @Test("only what has a handle, is not open and is not what was attached to may be parked")
    func idle() throws {
        try host.write("f", "text")
        let node = try files.node("f")
        #expect(client.files.idleCount == 0)
        node.bind()
        #expect(client.files.idleCount == 1)
        var opened: Opened? = try node.open(.read, by: files.caller)
        #expect(client.files.idleCount == 0)
        client.files.park(10)
        #expect(!node.isParked)
        withExtendedLifetime(opened) {}
        opened = nil
        #expect(client.files.idleCount == 1)
        client.files.park(10)
        #expect(node.isParked && client.files.idleCount == 0)
        _ = try node.hold()
        #expect(!node.isParked && client.files.idleCount == 1)
        node.unbind()
        #expect(client.files.idleCount == 0)
        let root = try bound("")
        #expect(client.files.idleCount == 0)
        root.unbind()
    }

    @Test("a node that was parked holds its file again from the moment on at which it is opened")
    func openedWhileParked() throws {
        try host.write("f", "text")
        let node = try bound("f")
        client.files.park(1)
        #expect(node.isParked)
        let opened = try node.open(.read, by: files.caller)
        #expect(!node.isParked)
        host.remove("f")
        #expect(try node.hold().status().host.linkCount == 0)
        withExtendedLifetime(opened) {}
    }

    @Test("a new file's node is never parked: its descriptor is the open file's")
    func created() throws {
        let directory = try files.root.holdForChange(inside: files.caller)
        let made = try directory.create(FileName("f"), [.read, .write], gid: 0, permissions: 0o644)
        made.node.bind()
        client.files.park(1)
        #expect(!made.node.isParked)
    }

    @Test("a parked node is found after renames of it, and of what is above it")
    func renamed() throws {
        try host.makeDirectory("d")
        try host.makeDirectory("e")
        let nodes = try make(200, beneath: "d/")
        try files.rename("d", to: "e/new")
        try expectAll(nodes)
        try files.rename("e/new", to: "d")
        for index in 0..<200 {
            try files.rename(
                TestPath(stringLiteral: "d/file-\(index)"),
                to: TestPath(stringLiteral: "e/renamed-\(index)")
            )
        }
        try expectAll(nodes)
    }

    @Test("a parked node is ESTALE once the host has put another file in its place, ENOENT once it is removed")
    func replaced() throws {
        try host.write("a", "old")
        try host.write("b", "old")
        let (a, b) = (try bound("a"), try bound("b"))
        client.files.park(2)
        try host.write("new", "new")
        try host.rename("new", to: "a")
        host.remove("b")
        #expect(throws: Errno.ESTALE) { try a.hold() }
        #expect(throws: Errno.ENOENT) { try b.hold() }
    }

    @Test("what no path leads to keeps its descriptor, and costs its own client alone")
    func removed() throws {
        var held: [Node] = []
        while held.count < 1000 {
            try host.write("removed", "\(held.count)")
            guard let node = try? bound("removed") else { break }
            held.append(node)
            host.remove("removed")
        }
        #expect(held.count >= Self.descriptors / 2 && held.count < Self.descriptors)
        for (index, node) in held.enumerated() {
            #expect(try Int(node.hold().status().host.size) == "\(index)".utf8.count)
        }
        #expect(throws: Errno.EMFILE) { _ = try held[0].open(.read, by: files.caller) }
        let other = TestClient(sharing: client.pool)
        let theirs = try ServedFiles(Export(directory: host.path), other)
        try host.write("f", "text")
        #expect(try theirs.text("f") == "text")
    }

    @Test("a request's hold keeps the descriptor while another thread parks the node")
    func heldWhileParked() throws {
        try host.write("f", "text")
        let node = try bound("f")
        let held = try node.hold()
        client.files.park(1)
        #expect(node.isParked)
        host.remove("f")
        #expect(try held.status().host.linkCount == 0)
    }

    @Test("an open file's size and mode change after its name is gone, by the opening")
    func openedThenRemoved() throws {
        try host.write("f", "text")
        let node = try bound("f")
        let opened = try node.open([.read, .write], by: files.caller)
        host.remove("f")
        let change = AttributeChange(OwnerAndMode(permissions: 0o600), size: 2)
        try node.holdForChange(opened).change(change, by: files.caller)
        let status = try node.hold(opened).status()
        #expect(status.host.size == 2 && status.permissions == 0o600)
        #expect(throws: Errno.ENOENT) { try node.holdForChange(opened).remove() }
    }
}
