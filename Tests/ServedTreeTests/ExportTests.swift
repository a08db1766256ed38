import FakeRoot
import LinuxFiles
import ServedTree
import TestSupport
import Testing

@Suite("Exports, and who comes to them")
struct ExportTests {
    private let host: TemporaryDirectory
    private let client = TestClient()

    init() throws {
        host = try TemporaryDirectory()
        try host.makeDirectory("d")
        try host.makeDirectory("d/e")
        try host.write("f", "text")
    }

    private func names(_ text: String) -> [[UInt8]] { TestPath(stringLiteral: text).names }

    @Test("a client may attach to a directory below, and gets no further up")
    func subdirectory() throws {
        let export = try Export(directory: host.path)
        let node = try export.attach(names("d/e"), for: client.files)
        #expect(try node.id == ServedFiles(export, client).node("d/e").id)
        var walk = Walk(from: node)
        let up = Array("..".utf8)
        for _ in 0..<3 { try walk.step(to: up.span.bytes) }
        #expect(walk.id == node.id)
    }

    @Test("what isn't there, isn't a directory or can't be a name can't be attached to")
    func refused() throws {
        let export = try Export(directory: host.path)
        #expect(throws: Errno.ENOENT) { try export.attach(names("no"), for: client.files) }
        #expect(throws: Errno.ENOTDIR) { try export.attach(names("f"), for: client.files) }
        #expect(throws: Errno.EINVAL) { try export.attach(names("d/.."), for: client.files) }
        #expect(throws: Errno.ENOENT) { try Export(directory: host.file("no")) }
        #expect(throws: Errno.ENOTDIR) { try Export(directory: host.file("f")) }
    }

    @Test("what was attached to can't be moved or removed, whatever it is called elsewhere")
    func attachRoot() throws {
        let export = try Export(directory: host.path)
        let outer = try ServedFiles(export, client)
        let node = try export.attach(names("d"), for: client.files)
        #expect(throws: Errno.EBUSY) { try node.holdForChange().remove() }
        let inside = try node.holdForChange(inside: outer.caller)
        #expect(throws: Errno.EBUSY) { try node.holdForChange().move(to: FileName("x"), in: inside) }
        try outer.rename("d", to: "moved")
        #expect(try node.hold().status().kind == .directory)
    }

    @Test("a file is found wherever it is now, and moved and removed from there")
    func byItself() throws {
        let files = try ServedFiles(Export(directory: host.path), client)
        let node = try files.node("f")
        try host.rename("f", to: "d/e/g")
        try node.holdForChange().move(to: FileName("h"), in: files.root.holdForChange(inside: files.caller))
        #expect(try host.names() == ["d", "h"])
        try host.rename("h", to: "d/i")
        try node.holdForChange().remove()
        #expect(try host.names("d") == ["e"])
        #expect(throws: Errno.ENOENT) { try node.holdForChange().remove() }
    }

    @Test("nothing is moved or linked from one export to another")
    func twoExports() throws {
        let other = try TemporaryDirectory()
        let (here, there) = (
            try ServedFiles(Export(directory: host.path), client),
            try ServedFiles(Export(directory: other.path), client)
        )
        let target = try there.root.holdForChange(inside: there.caller)
        let file = try here.node("f").holdForChange()
        #expect(throws: Errno.EXDEV) { try target.link(file, as: FileName("f")) }
        #expect(throws: Errno.EXDEV) { try file.move(to: FileName("f"), in: target) }
        let source = try here.root.holdForChange(inside: here.caller)
        #expect(throws: Errno.EXDEV) { try source.move(FileName("f"), to: FileName("f"), in: target) }
    }

    @Test(
        "a name is a uid by the board's passwd; a number is one, and what is unknown is root",
        arguments: [
            ("daemon", 1), ("build", 1000), ("1234", 1234), ("root", 0), ("", 0), ("nobody-knows", 0), ("odd", 0),
        ]
    )
    func caller(name: String, uid: UInt32) throws {
        try host.makeDirectory("etc")
        try host.write(
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\nodd:x\nbuild:x:1000:100::/home:\n"
        )
        let export = try Export(directory: host.path)
        let bytes = Array(name.utf8)
        #expect(Caller(named: bytes.span.bytes, in: export).uid == uid)
    }

    @Test("a file has the same number from every export object of the directory, and after a restart")
    func sameNumbers() throws {
        for name in ["f", "d", "d/e"] {
            let ids = try (0..<3).map { _ in
                try ServedFiles(Export(directory: host.path), TestClient()).node(TestPath(stringLiteral: name)).id
            }
            #expect(Set(ids).count == 1)
        }
    }
}
