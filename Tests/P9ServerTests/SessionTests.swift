import LinuxFiles
import P9Client
import P9Server
import P9Wire
import TestSupport
import Testing

@Suite("Tversion and Tattach")
struct SessionTests {
    private func version(_ server: TestServer, msize: UInt32, _ text: String) throws -> (msize: UInt32, text: String) {
        let connection = try server.connectRaw()
        let reply = try #require(
            try connection.exchange(frame(100, tag: 0xffff, littleEndian(msize) + wireString(text)))
        )
        if let error = errno(of: reply) { throw error }
        let answer = try Rversion(decoding: reply.span.bytes.extracting(droppingFirst: 7))
        let version = answer.version.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        return (answer.msize, version)
    }

    @Test("Tversion 9P2000.L and 9P2000.L.* are answered 9P2000.L", arguments: Link.oneAndMany)
    func known(link: Link) throws {
        let server = try TestServer(link)
        #expect(try version(server, msize: 8192, "9P2000.L") == (8192, "9P2000.L"))
        #expect(try version(server, msize: 8192, "9P2000.L.Google.12") == (8192, "9P2000.L"))
    }

    @Test(
        "any other Tversion is answered unknown, and there is no session",
        arguments: ["9P2000", "9P2000.u", "9P2000.LX", "9p2000.l", "", "unknown"]
    )
    func unknown(text: String) throws {
        let server = try TestServer()
        #expect(try version(server, msize: 8192, text).text == "unknown")
        let connection = try server.connectRaw()
        _ = try connection.exchange(frame(100, tag: 0xffff, littleEndian(UInt32(8192)) + wireString(text)))
        #expect(throws: Errno.self) { try connection.attach() }
    }

    @Test("msize is clamped to the server's", arguments: Link.oneAndMany)
    func clamp(link: Link) throws {
        let server = try TestServer(link, maximumMessageSize: 32_768)
        #expect(try version(server, msize: .max, "9P2000.L").msize == 32_768)
        #expect(try version(server, msize: 32_769, "9P2000.L").msize == 32_768)
        #expect(try version(server, msize: 4096, "9P2000.L").msize == 4096)
    }

    @Test("sockets get 1 MiB if they ask")
    func largeMessages() throws {
        #expect(try version(TestServer(), msize: 4 << 20, "9P2000.L").msize >= 1 << 20)
    }

    @Test("msize below 4096 is refused, and there is no session", arguments: [0, 7, 4095] as [UInt32])
    func small(msize: UInt32) throws {
        let server = try TestServer()
        #expect(throws: Errno.EMSGSIZE) { try version(server, msize: msize, "9P2000.L") }
    }

    @Test("Tversion again begins a new session: fids are gone, locks are dropped", arguments: Link.oneAndMany)
    func again(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", "text")
        let connection = try server.connectRaw()
        try connection.negotiate()
        try connection.attach()
        let walk = littleEndian(UInt32(0)) + littleEndian(UInt32(1)) + [1, 0] + wireString("file")
        #expect(try connection.exchange(frame(110, tag: 1, walk))?[4] == 111)
        #expect(try connection.exchange(frame(12, tag: 1, hex("01000000 02000000")))?[4] == 13)
        let range = hex("0000000000000000 0000000000000000") + littleEndian(UInt32(7)) + wireString("me")
        #expect(try connection.exchange(frame(52, tag: 1, hex("01000000 01 00000000") + range))?[7] == 0)

        try connection.negotiate()
        #expect(try errno(of: connection.exchange(frame(24, tag: 1, hex("01000000 ff07000000000000")))) == .EBADF)
        let (other, root) = try server.attached()
        let file = try other.opened(root, "file", .readWrite)
        #expect(try other.lock(file, .write, start: 0, length: 0, processID: 1) == .success)
        #expect(server.tree.openDescriptors == 4, "the export, the other's root; its file, walked to and open")
    }

    @Test("nothing but Tversion and Tflush is answered before Tversion", arguments: Link.oneAndMany)
    func beforeVersion(link: Link) throws {
        let connection = try TestServer(link).connectRaw()
        for type in MessageType.allCases where type.isRequest && type != .tversion && type != .tflush {
            for size in [0, 4, 16, 60] {
                let reply = try connection.exchange(frame(type.rawValue, tag: 5, [UInt8](repeating: 0, count: size)))
                #expect(errno(of: reply) == .ESTALE, "\(type)")
            }
        }
        #expect(try connection.exchange(frame(108, tag: 5, [1, 0])) == frame(109, tag: 5))
    }

    @Test("before Tattach there are no fids", arguments: Link.oneAndMany)
    func beforeAttach(link: Link) throws {
        let connection = try TestServer(link).connectRaw()
        try connection.negotiate()
        let others: Set<MessageType> = [.tversion, .tattach, .tflush, .tauth]
        for golden in [UInt8](0...123) {
            guard let type = MessageType(rawValue: golden), type.isRequest, !others.contains(type) else { continue }
            for size in [0, 4, 8, 10, 12, 16, 27, 31, 60] {
                let reply = try connection.exchange(frame(golden, tag: 5, [UInt8](repeating: 0, count: size)))
                let error = try #require(errno(of: reply))
                #expect([.EBADF, .EINVAL].contains(error), "\(type)")
            }
        }
    }

    @Test("Tauth is ENOENT, from which diod's clients go on to Tattach", arguments: Link.oneAndMany)
    func auth(link: Link) throws {
        let client = try TestServer(link).client()
        let uname = Array("root".utf8)
        let aname: [UInt8] = []
        let request = Tauth(
            afid: Fid(rawValue: 9),
            uname: uname.span.bytes,
            aname: aname.span.bytes,
            numericUname: 0
        )
        expectRefusal(.ENOENT) {
            try client.call(request) { (body) throws(WireError) in try QidReply(.rauth, decoding: body) }
        }
    }

    @Test("Tattach takes any uname")
    func anyUser() throws {
        let server = try TestServer()
        let client = try server.client()
        for name in ["", "root", "nobody", "usb9pfs0", "münchen", String(repeating: "x", count: 5000)] {
            _ = try client.attach(uname: name, uid: .max)
        }
    }

    @Test("n_uname is the uid; ~0 goes by uname in the board's passwd, which is root unless it says otherwise")
    func users() throws {
        let server = try TestServer()
        try server.tree.makeDirectory("etc")
        try server.tree.write("etc/passwd", "root:x:0:0::/:/bin/sh\nbuild:x:1234:1234::/:/bin/sh\nbad:x:zz:1::/:\n")
        let client = try server.client()
        for (name, number, uid) in [
            ("root", UInt32.max, UInt32(0)), ("", .max, 0), ("build", .max, 1234), ("bad", .max, 0),
            ("stranger", .max, 0), ("77", .max, 77), ("build", 42, 42), ("build", 0, 0),
        ] {
            let root = try client.attach(uname: name, uid: number)
            let file = try client.created(root, "file-\(name)-\(number)")
            #expect(try client.getAttributes(file).uid == uid, "\(name) \(number)")
        }
    }

    @Test("a passwd that is a symbolic link out of the tree isn't read")
    func passwdOutside() throws {
        let server = try TestServer()
        try server.base.write("passwd", "build:x:1234:1234::/:/bin/sh\n")
        try server.tree.makeDirectory("etc")
        try server.tree.makeSymlink("etc/passwd", to: server.base.file("passwd"))
        let client = try server.client()
        let root = try client.attach(uname: "build", uid: .max)
        #expect(try client.getAttributes(client.created(root, "file")).uid == 0)
    }

    @Test("Tattach to a fid in use is EBADF, to NOFID as well", arguments: Link.oneAndMany)
    func fidInUse(link: Link) throws {
        let connection = try TestServer(link).connectRaw()
        try connection.negotiate()
        try connection.attach()
        let body = littleEndian(UInt32.max) + wireString("root") + wireString("") + littleEndian(UInt32(0))
        #expect(try errno(of: connection.exchange(frame(104, tag: 1, hex("00000000") + body))) == .EBADF)
        #expect(try errno(of: connection.exchange(frame(104, tag: 1, hex("ffffffff") + body))) == .EBADF)
        #expect(try connection.exchange(frame(104, tag: 1, hex("01000000") + body))?[4] == 105)
    }
}

@Suite("aname")
struct AttachNameTests {
    private let server: TestServer
    private let client: Client

    init() throws {
        server = try TestServer(exports: ["home": "home", "deep": "tree/usr"])
        try server.tree.write("which", "tree")
        try server.base.write("home/which", "home")
        try server.tree.write("usr/which", "usr")
        try server.tree.makeDirectory("usr/lib")
        try server.tree.write("usr/lib/which", "lib")
        client = try server.client()
    }

    private func which(_ aname: String) throws -> String {
        let root = try client.attach(aname: aname)
        return String(decoding: try client.readAll(client.opened(root, "which")), as: UTF8.self)
    }

    @Test("empty and / are the export")
    func defaultExport() throws {
        #expect(try which("") == "tree")
        #expect(try which("/") == "tree")
    }

    @Test("a name is the export of that name")
    func named() throws {
        #expect(try which("home") == "home")
        #expect(try which("deep") == "usr")
    }

    @Test("an absolute path in an export is taken, so that the kernel documentation's command lines work")
    func path() throws {
        #expect(try which(server.tree.path) == "tree")
        #expect(try which(server.tree.path + "/") == "tree")
        #expect(try which("/" + server.tree.path + "//usr/lib/") == "lib")
        #expect(try which(server.base.file("home")) == "home")
    }

    @Test("a directory beside the export whose name begins with the export's isn't in it")
    func prefix() throws {
        try server.base.makeDirectory("tree2")
        try server.base.write("tree2/which", "outside")
        for aname in ["tree2", server.base.file("tree2"), server.tree.path + "2", server.tree.path + "/../tree2"] {
            #expect(throws: ClientError.self, "\(aname)") { try which(aname) }
        }
    }

    @Test(
        "anything else is ENOENT",
        arguments: ["tree", "nowhere", "..", ".", "/nowhere", "/..", "//x", "home/", "\0"]
    )
    func elsewhere(aname: String) {
        expectRefusal(.ENOENT) { try which(aname) }
    }

    @Test("a path with .. or through a symbolic link isn't in the export")
    func climbing() throws {
        try server.base.write("which", "outside")
        try server.tree.makeSymlink("link", to: server.base.path)
        try server.tree.makeSymlink("inner", to: "usr")
        for tail in ["/..", "/usr/..", "/usr/../..", "/link", "/inner", "/inner/lib", "/link/home", "/which", "/none"] {
            #expect(throws: ClientError.self, "\(tail)") { try which(server.tree.path + tail) }
        }
    }

    @Test(".. of an attached subdirectory stays in it")
    func subdirectoryIsTheTop() throws {
        let root = try client.attach(aname: server.tree.path + "/usr/lib")
        let up = try client.walk(root, ["..", "..", ".."])
        #expect(try client.getAttributes(up).qid == client.getAttributes(root).qid)
    }

    @Test("Trename and Tlink don't cross from one export to another: EXDEV")
    func acrossExports() throws {
        let tree = try client.attach()
        let home = try client.attach(aname: "home")
        expectRefusal(.EXDEV) { try client.link(home, client.walk(tree, "which"), "linked") }
        expectRefusal(.EXDEV) { try client.rename(client.walk(tree, "which"), to: home, "moved") }
        expectRefusal(.EXDEV) { try client.rename(tree, "which", to: home, "moved") }
    }
}
