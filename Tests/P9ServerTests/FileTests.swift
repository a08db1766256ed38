import LinuxFiles
import P9Client
import P9Wire
import TestSupport
import Testing

@Suite("Tlopen, Tlcreate, Tread, Twrite, Tfsync")
struct FileTests {
    @Test("what is written is read", arguments: Link.allCases)
    func data(link: Link) throws {
        let server = try TestServer(link)
        let (client, root) = try server.attached(msize: 8192)
        let file = try client.created(root, "file")
        let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        try client.write(file, at: 0, content)
        try client.synchronize(file)
        try client.synchronize(file, dataOnly: true)
        #expect(try client.readAll(file) == content)
        #expect(try server.tree.read("file") == content)
        try client.write(file, at: 200_000, [1])
        #expect(try client.getAttributes(file).size == 200_001)
        #expect(try client.read(file, at: 150_000, count: 3) == [0, 0, 0])
    }

    @Test("a read past the end is empty; counts are clamped to msize, 2^32-1 included", arguments: Link.oneAndMany)
    func counts(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", [UInt8](repeating: 7, count: 100_000))
        let (client, root) = try server.attached(msize: 8192)
        let file = try client.opened(root, "file")
        for count in [0, 1, 8181, 8182, 8192, 70_000, .max] as [UInt32] {
            let data = try client.call(Tread(fid: file, offset: 0, count: count)) { (body) throws(WireError) in
                try Rread(decoding: body).data.byteCount
            }
            #expect(data == min(Int(count), 8181))
        }
        #expect(try client.read(file, at: 99_999, count: 10).count == 1)
        #expect(try client.read(file, at: 100_000, count: 10).isEmpty)
        #expect(try client.read(file, at: 1 << 62, count: 10).isEmpty)
        expectRefusal(.EINVAL) { try client.read(file, at: 1 << 63, count: 10) }
        expectRefusal(.EINVAL) { try client.read(file, at: .max, count: 10) }
    }

    @Test("a write at an absurd offset is an error, not a crash", arguments: Link.oneAndMany)
    func absurdOffsets(link: Link) throws {
        let (client, root) = try TestServer(link).attached()
        let file = try client.created(root, "file")
        for offset in [UInt64(Int64.max), UInt64(Int64.max) - 1, 1 << 63, .max] {
            #expect(throws: ClientError.self) { try client.write(file, at: offset, [1, 2, 3]) }
            #expect(throws: ClientError.self) { try client.set(file, .size, size: offset) }
        }
        #expect(try client.getAttributes(file).size == 0)
    }

    @Test("reading and writing need the right open", arguments: Link.oneAndMany)
    func access(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", "text")
        let (client, root) = try server.attached()
        let unopened = try client.walk(root, "file")
        expectRefusal(.EBADF) { try client.read(unopened, at: 0, count: 1) }
        expectRefusal(.EBADF) { try client.write(unopened, at: 0, [1]) }
        expectRefusal(.EBADF) { try client.synchronize(unopened) }
        let reader = try client.opened(root, "file")
        expectRefusal(.EBADF) { try client.write(reader, at: 0, [1]) }
        let writer = try client.opened(root, "file", .writeOnly)
        expectRefusal(.EBADF) { try client.read(writer, at: 0, count: 1) }
        try client.write(writer, at: 0, Array("T".utf8))
        let both = try client.opened(root, "file", OpenFlags(rawValue: 3))
        try client.write(both, at: 1, Array("E".utf8))
        #expect(try client.readAll(both) == Array("TExt".utf8))
        expectRefusal(.EBADF) { try client.open(both) }
        let directory = try client.opened(root, ".")
        expectRefusal(.EISDIR) { try client.read(directory, at: 0, count: 1) }
        expectRefusal(.EBADF) { try client.write(directory, at: 0, [1]) }
        expectRefusal(.EBADF) { try client.readDirectory(reader, from: 0, count: 100) }
        try client.synchronize(directory)
        for flags in [.writeOnly, .readWrite, .truncate] as [OpenFlags] {
            expectRefusal(.EISDIR) { try client.open(client.walk(root, [String]()), flags) }
        }
        try client.open(client.walk(root, [String]()), .directory)
    }

    @Test("flags that a server can't serve are masked", arguments: Link.oneAndMany)
    func flags(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", "text")
        let (client, root) = try server.attached()
        let odd: [UInt32] = [
            0o40000,  // O_DIRECT
            0o1000000,  // O_NOATIME
            0o400000,  // O_NOFOLLOW
            0o4000,  // O_NONBLOCK
            0o4010000,  // O_SYNC
            0o10000000,  // O_PATH
            0o20200000 & ~0o200000,  // O_TMPFILE without O_DIRECTORY
            0o100,  // O_CREAT
            0o300,  // O_CREAT and O_EXCL
            0o100000,  // O_LARGEFILE
            0o20000,  // FASYNC
        ]
        for flag in odd {
            let file = try client.opened(root, "file", OpenFlags(rawValue: flag | 2))
            #expect(try client.read(file, at: 1, count: 2) == Array("ex".utf8), "\(String(flag, radix: 8))")
            try client.write(file, at: 0, Array("t".utf8))
            try client.clunk(file)
        }
        #expect(try server.tree.names() == ["file"])
    }

    @Test("O_APPEND is the client's business: writes go where it says", arguments: Link.oneAndMany)
    func append(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", "0123456789")
        let (client, root) = try server.attached()
        let file = try client.opened(root, "file", [.writeOnly, .append])
        try client.write(file, at: 2, Array("xx".utf8))
        let new = try client.created(root, "new", [.writeOnly, .append])
        try client.write(new, at: 3, Array("x".utf8))
        try client.write(new, at: 0, Array("abc".utf8))
        #expect(try server.tree.read("file") == Array("01xx456789".utf8))
        #expect(try server.tree.read("new") == Array("abcx".utf8))
    }

    @Test("O_TRUNC truncates", arguments: Link.oneAndMany)
    func truncate(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", "text")
        let (client, root) = try server.attached()
        try client.clunk(client.opened(root, "file", [.writeOnly, .truncate]))
        #expect(try server.tree.read("file").isEmpty)
        try server.tree.write("file", "text")
        try client.clunk(client.created(root, "file", [.writeOnly, .truncate]))
        #expect(try server.tree.read("file").isEmpty)
    }

    @Test("Tlcreate honours O_EXCL, and without it opens what is there", arguments: Link.oneAndMany)
    func exclusive(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", "text", mode: 0o640)
        let (client, root) = try server.attached()
        expectRefusal(.EEXIST) { try client.created(root, "file", [.readWrite, .create, .exclusive]) }
        let file = try client.created(root, "file", [.readWrite, .create], mode: 0o777, gid: 7)
        #expect(try client.readAll(file) == Array("text".utf8))
        let status = try client.getAttributes(file)
        #expect(status.mode == 0o100640)
        #expect(status.gid == 0)
        try client.clunk(client.created(root, "new", [.readWrite, .create, .exclusive]))
    }

    @Test("after a failed Tlcreate the fid is still the directory")
    func failedCreate() throws {
        let server = try TestServer()
        try server.tree.write("file", "text")
        let (client, root) = try server.attached()
        let fid = try client.walk(root, [String]())
        expectRefusal(.EEXIST) { try client.create(fid, "file", [.readWrite, .exclusive], mode: 0o644) }
        try client.create(fid, "new", .readWrite, mode: 0o644)
        #expect(try client.getAttributes(fid).mode == 0o100644)
        expectRefusal(.EBADF) { try client.create(fid, "more", .readWrite, mode: 0o644) }
    }

    @Test("Tlcreate of a name that is a directory is EISDIR")
    func createOverDirectory() throws {
        let server = try TestServer()
        try server.tree.makeDirectory("dir")
        let (client, root) = try server.attached()
        for flags in [[], .readWrite, .truncate] as [OpenFlags] {
            expectRefusal(.EISDIR) { try client.created(root, "dir", flags) }
        }
    }

    @Test("the order in which the kernel creates: Twalk, Tlcreate, Twalk, Tgetattr", arguments: Link.oneAndMany)
    func kernelOrder(link: Link) throws {
        let server = try TestServer(link)
        let (client, root) = try server.attached(uid: 1000)
        let open = try client.walk(root, [String]())
        try client.create(open, "new", OpenFlags(rawValue: 0o100302), mode: 0o100600, gid: 100)
        let walked = client.newFid()
        #expect(try client.rawWalk(root, to: walked, "new").count == 1)
        let status = try client.getAttributes(walked, [.basic, .generation])
        #expect(status == (try client.getAttributes(open, [.basic, .generation])))
        #expect((status.mode, status.uid, status.gid) == (0o100600, 1000, 100))
        #expect(status.qid.path == (try server.tree.status("new").inode))
    }

    @Test(
        "modes are stored exactly: no umask",
        arguments: [0o777, 0o666, 0o4755, 0o2711, 0o1777, 0o000, 0o200] as [UInt32]
    )
    func exactModes(mode: UInt32) throws {
        let server = try TestServer()
        let (client, root) = try server.attached()
        _ = try client.created(root, "file", mode: mode)
        _ = try client.makeDirectory(root, "dir", mode: mode)
        _ = try client.makeNode(root, "fifo", mode: 0o010000 | mode)
        _ = try client.makeNode(root, "plain", mode: 0o100000 | mode)
        #expect(try client.status(root, "file").mode == 0o100000 | mode)
        #expect(try client.status(root, "dir").mode == 0o040000 | mode)
        #expect(try client.status(root, "fifo").mode == 0o010000 | mode)
        #expect(try client.status(root, "plain").mode == 0o100000 | mode)
    }

    @Test("a host directory with the setgid bit doesn't give it to new directories")
    func hostSetgid() throws {
        let server = try TestServer()
        try server.tree.makeDirectory("shared")
        try server.tree.setMode("shared", 0o2775)
        let (client, root) = try server.attached()
        let shared = try client.walk(root, "shared")
        _ = try client.makeDirectory(shared, "dir", mode: 0o755)
        #expect(try client.status(shared, "dir").mode == 0o040755)
    }

    @Test(
        "opening a device, FIFO or socket is ENXIO, and a FIFO of the host doesn't block the server",
        arguments: Link.oneAndMany
    )
    func specials(link: Link) throws {
        let server = try TestServer(link)
        #expect(try run("mkfifo", server.tree.file("hostfifo")).status == 0)
        let (client, root) = try server.attached()
        _ = try client.makeNode(root, "char", mode: 0o020666, major: 1, minor: 3)
        _ = try client.makeNode(root, "block", mode: 0o060660, major: 8, minor: 1)
        _ = try client.makeNode(root, "fifo", mode: 0o010644)
        _ = try client.makeNode(root, "socket", mode: 0o140755)
        for name in ["char", "block", "fifo", "socket", "hostfifo"] {
            for flags in [[], .readWrite, .writeOnly, .truncate] as [OpenFlags] {
                expectRefusal(.ENXIO, "\(name)") { try client.open(client.walk(root, name), flags) }
                expectRefusal(.ENXIO, "\(name)") { try client.created(root, name, flags) }
            }
            expectRefusal(.EINVAL, "\(name)") { try client.set(client.walk(root, name), .size, size: 1) }
        }
        #expect(try client.status(root, "char").device == 0x103)
        #expect(try client.status(root, "block").device == 0x801)
    }

    @Test("device numbers of 12 and 20 bits", arguments: [(4095, 1_048_575), (0, 0), (259, 65_536), (1, 256)])
    func deviceNumbers(major: UInt32, minor: UInt32) throws {
        let (client, root) = try TestServer().attached()
        _ = try client.makeNode(root, "node", mode: 0o060600, major: major, minor: minor)
        // new_decode_dev in the kernel's include/linux/kdev_t.h
        let device = try client.status(root, "node").device
        #expect((device & 0xfff00) >> 8 == major)
        #expect((device & 0xff) | ((device >> 12) & 0xfff00) == minor)
    }

    @Test("Tmknod of a directory, a symbolic link or nothing is EINVAL")
    func badNodes() throws {
        let (client, root) = try TestServer().attached()
        for mode in [0o040755, 0o120777, 0o755, 0o170755] as [UInt32] {
            expectRefusal(.EINVAL) { try client.makeNode(root, "node", mode: mode) }
        }
    }

    @Test("iounit leaves room for the header", arguments: Link.oneAndMany)
    func ioUnit(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", "")
        let (client, root) = try server.attached(msize: 8192)
        let reply = try client.call(Tlopen(fid: client.walk(root, "file"), flags: .readWrite)) {
            (body) throws(WireError) in try OpenReply(.rlopen, decoding: body)
        }
        #expect(reply.iounit == 8192 - 24)
    }

    @Test("an open file stays usable after its removal and through a rename", arguments: Link.oneAndMany)
    func afterUnlink(link: Link) throws {
        let server = try TestServer(link)
        let (client, root) = try server.attached()
        for isRenamed in [false, true] {
            let file = try client.created(root, "file", mode: 0o600)
            try client.write(file, at: 0, Array("0123456789".utf8))
            if isRenamed {
                _ = try client.makeDirectory(root, "dir", mode: 0o755)
                try client.rename(root, "file", to: client.walk(root, "dir"), "new")
            } else {
                try client.unlink(root, "file")
            }
            expectRefusal(.ENOENT) { try client.walk(root, "file") }
            #expect(try client.getAttributes(file).linkCount == (isRenamed ? 1 : 0))
            try client.set(file, .size, size: 5)
            try client.set(file, [.mode, .uid, .gid], mode: 0o4711, uid: 5, gid: 6)
            try client.set(
                file,
                [.modificationTime, .modificationTimeSet],
                modificationTime: WireTime(seconds: 9, nanoseconds: 8)
            )
            try client.write(file, at: 5, Array("abc".utf8))
            try client.synchronize(file)
            #expect(try client.readAll(file) == Array("01234abc".utf8))
            let status = try client.getAttributes(file)
            #expect((status.mode, status.uid, status.gid, status.size) == (0o104711, 5, 6, 8))
            try client.setAttribute(file, "user.note", [1, 2])
            #expect(try client.attribute(file, "user.note") == [1, 2])
            let clone = try client.walk(file, [String]())
            #expect(try client.getAttributes(clone).size == 8)
            try client.clunk(file)
        }
    }

    @Test("a file stays usable after the host removed or replaced it")
    func afterHostUnlink() throws {
        let server = try TestServer()
        try server.tree.write("file", "old")
        let (client, root) = try server.attached()
        let walked = try client.walk(root, "file")
        let open = try client.opened(root, "file", .readWrite)
        try server.tree.write("file.new", "new and longer")
        try server.tree.rename("file.new", to: "file")
        #expect(try client.readAll(open) == Array("old".utf8))
        #expect(try client.getAttributes(walked).size == 3)
        #expect(try client.readAll(client.opened(root, "file")) == Array("new and longer".utf8))
    }
}
