import LinuxFiles
import P9Client
import P9Wire
import TestSupport
import Testing

@Suite("Tgetattr, Tsetattr, Tstatfs, Treadlink")
struct StatusTests {
    private let server: TestServer
    private let client: Client
    private let root: Fid

    init() throws {
        server = try TestServer()
        (client, root) = try server.attached()
    }

    @Test("an unlabelled file is root's, with the host's mode, size, times and links")
    func plain() throws {
        try server.tree.write("file", "text", mode: 0o750)
        let host = try server.tree.status("file")
        let status = try client.status(root, "file")
        #expect((status.mode, status.uid, status.gid) == (0o100750, 0, 0))
        #expect((status.size, status.linkCount, status.blocks) == (4, 1, host.blocks))
        #expect(status.modificationTime.seconds == UInt64(host.modificationTime.seconds))
        #expect(status.modificationTime.nanoseconds == UInt64(host.modificationTime.nanoseconds))
        #expect(status.valid.isSuperset(of: .basic))
        #expect(status.qid.path == host.inode)
    }

    @Test("one Tsetattr with everything: owner before mode, then size, then times", arguments: Link.oneAndMany)
    func everything(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", "text")
        let (client, root) = try server.attached()
        let file = try client.walk(root, "file")
        let valid: SetattrMask = [
            .mode, .uid, .gid, .size, .accessTime, .accessTimeSet, .modificationTime, .modificationTimeSet,
            .changeTime,
        ]
        let access = WireTime(seconds: 1_000_000_000, nanoseconds: 1)
        let modification = WireTime(seconds: 2_000_000_000, nanoseconds: 999_999_999)
        try client.set(
            file,
            valid,
            mode: 0o106755,
            uid: 1000,
            gid: 1001,
            size: 2,
            accessTime: access,
            modificationTime: modification
        )
        let status = try client.getAttributes(file)
        #expect((status.mode, status.uid, status.gid, status.size) == (0o106755, 1000, 1001, 2))
        #expect(status.accessTime == access)
        #expect(status.modificationTime == modification)
        #expect(try server.tree.read("file") == Array("te".utf8))
    }

    @Test("every combination of what the kernel may change changes just that", arguments: 0..<32 as Range<UInt32>)
    func combinations(bits: UInt32) throws {
        try server.tree.write("file", "text", mode: 0o640)
        let file = try client.walk(root, "file")
        try client.set(
            file,
            [.modificationTime, .modificationTimeSet],
            modificationTime: WireTime(seconds: 50, nanoseconds: 0)
        )
        var valid = SetattrMask(rawValue: bits & 0xf)
        if bits & 0x10 != 0 { valid.formUnion([.modificationTime, .modificationTimeSet]) }
        try client.set(
            file,
            valid,
            mode: 0o4711,
            uid: 7,
            gid: 8,
            size: 3,
            modificationTime: WireTime(seconds: 60, nanoseconds: 5)
        )
        let status = try client.getAttributes(file)
        #expect(status.mode == (valid.contains(.mode) ? 0o104711 : 0o100640))
        #expect(status.uid == (valid.contains(.uid) ? 7 : 0))
        #expect(status.gid == (valid.contains(.gid) ? 8 : 0))
        #expect(status.size == (valid.contains(.size) ? 3 : 4))
        if valid.contains(.modificationTime) {
            #expect(status.modificationTime == WireTime(seconds: 60, nanoseconds: 5))
        } else if !valid.contains(.size) {
            #expect(status.modificationTime == WireTime(seconds: 50, nanoseconds: 0))
        }
    }

    @Test("a time without its _SET bit means now; one that isn't named stays")
    func now() throws {
        try server.tree.write("file", "text")
        let file = try client.walk(root, "file")
        let old = WireTime(seconds: 50, nanoseconds: 0)
        try client.set(
            file,
            [.accessTime, .accessTimeSet, .modificationTime, .modificationTimeSet],
            accessTime: old,
            modificationTime: old
        )
        try client.set(file, .modificationTime, modificationTime: old)
        let status = try client.getAttributes(file)
        #expect(status.accessTime == old)
        #expect(status.modificationTime.seconds > 1_700_000_000)
        try client.set(file, [.accessTime, .modificationTimeSet], modificationTime: old)
        #expect(try client.getAttributes(file).accessTime.seconds > 1_700_000_000)
    }

    @Test("times before 1970, and of symbolic links")
    func oddTimes() throws {
        try server.tree.makeSymlink("link", to: "nowhere")
        let link = try client.walk(root, "link")
        let early = WireTime(seconds: UInt64(bitPattern: -1000), nanoseconds: 7)
        try client.set(link, [.modificationTime, .modificationTimeSet], modificationTime: early)
        #expect(try client.getAttributes(link).modificationTime == early)
        let absurd = WireTime(seconds: 5, nanoseconds: .max)
        try client.set(link, [.modificationTime, .modificationTimeSet], modificationTime: absurd)
        #expect(try client.getAttributes(link).modificationTime.nanoseconds < 1_000_000_000)
    }

    @Test("chown and chmod of what needs no label move the change time")
    func changeTime() throws {
        try server.tree.write("file", "text", mode: 0o644)
        let file = try client.walk(root, "file")
        let before = try client.getAttributes(file).changeTime
        _ = try run("sleep", "0.02")
        try client.set(file, [.mode, .uid], mode: 0o644, uid: 0)
        #expect(try client.getAttributes(file).changeTime != before)
    }

    @Test(
        "truncation works on a fid opened for reading, and below the host's mode",
        arguments: [0o444, 0o400, 0o000] as [UInt32]
    )
    func truncation(mode: UInt32) throws {
        try server.tree.write("file", "0123456789", mode: mode)
        let file = try client.opened(root, "file")
        try client.set(file, [.size, .modificationTime, .changeTime], size: 4)
        #expect(try client.readAll(file) == Array("0123".utf8))
        try client.set(file, .size, size: 6)
        #expect(try client.readAll(file) == Array("0123".utf8) + [0, 0])
        #expect(try client.getAttributes(file).mode == 0o100000 | mode)
        try client.set(client.walk(root, "file"), .size, size: 1)
        #expect(try client.getAttributes(file).size == 1)
        expectRefusal(.EISDIR) { try client.set(root, .size, size: 0) }
    }

    @Test("Tlopen truncates below the host's mode, though it opens for reading only", arguments: [0, 1000] as [UInt32])
    func truncatingOpen(uid: UInt32) throws {
        try server.tree.write("file", "0123456789", mode: 0o444)
        let (other, otherRoot) = try server.attached(uid: uid)
        let file = try other.opened(otherRoot, "file", .truncate)
        #expect(try other.readAll(file).isEmpty)
        #expect(try client.status(root, "file").mode == 0o100444)
    }

    @Test("a mode that the host's owner couldn't use keeps the file usable on the host")
    func floor() throws {
        let file = try client.created(root, "file", mode: 0o000)
        try client.write(file, at: 0, [1])
        #expect(try server.tree.mode("file") == 0o600)
        try client.set(file, .mode, mode: 0o040)
        #expect(try server.tree.mode("file") == 0o640)
        #expect(try client.getAttributes(file).mode == 0o100040)
        _ = try client.makeDirectory(root, "dir", mode: 0o1777)
        #expect(try server.tree.mode("dir") == 0o1777)
    }

    @Test("Tstatfs says V9FS_MAGIC and the host's sizes")
    func fileSystem() throws {
        let status = try client.fileSystemStatus(root)
        #expect(status.type == 0x0102_1997)
        #expect(status.nameLength == 255)
        #expect(status.blocks > 0 && status.blockSize >= 512)
        #expect(status.blocksAvailable <= status.blocksFree && status.blocksFree <= status.blocks)
    }

    @Test("Treadlink: targets up to 4,095 bytes, as they are", arguments: [1, 255, 4000, 4060])
    func readLink(length: Int) throws {
        let (client, root) = try server.attached(msize: 4096)
        let target = String(repeating: "t", count: length)
        _ = try client.makeSymlink(root, "link", target: target)
        #expect(try client.readLink(client.walk(root, "link")) == target)
        #expect(try client.status(root, "link").size == UInt64(length))
        expectRefusal(.EINVAL) { try client.readLink(root) }
    }

    @Test("a symbolic link's target must be one")
    func badTargets() throws {
        expectRefusal(.ENOENT) { try client.makeSymlink(root, "link", target: "") }
        expectRefusal(.EINVAL) { try client.makeSymlink(root, "link", target: "a\0b") }
        expectRefusal(.ENAMETOOLONG) {
            try client.makeSymlink(root, "link", target: String(repeating: "t", count: 4096))
        }
        _ = try client.makeSymlink(root, "longest", target: String(repeating: "t", count: 4095))
        #expect(try client.readLink(client.walk(root, "longest")).utf8.count == 4095)
    }

    /// What changes a file's content.
    enum Change: CaseIterable {
        case write, size, openTruncating, createTruncating

        func apply(_ client: Client, _ root: Fid, _ name: String) throws {
            switch self {
            case .write: try client.write(client.opened(root, name, .readWrite), at: 0, [1])
            case .size: try client.set(client.walk(root, name), .size, size: 1)
            case .openTruncating: _ = try client.opened(root, name, [.readWrite, .truncate])
            case .createTruncating: _ = try client.created(root, name, [.readWrite, .truncate])
            }
        }
    }

    @Test(
        "a change of the content by another user than root takes setuid, setgid and capabilities away",
        arguments: [0, 1000] as [UInt32],
        Change.allCases
    )
    func privileges(uid: UInt32, change: Change) throws {
        for (mode, left) in [(0o6755, 0o755), (0o4711, 0o711), (0o2755, 0o755), (0o2745, 0o2745)] as [(UInt32, UInt32)]
        {
            let file = try client.created(root, "file-\(mode)", mode: mode)
            try client.setAttribute(file, "security.capability", [1, 2, 3])
            let (other, otherRoot) = try server.attached(uid: uid)
            try change.apply(other, otherRoot, "file-\(mode)")
            #expect(try client.getAttributes(file).size == (change == .write || change == .size ? 1 : 0))
            let expected = uid == 0 ? mode : left
            #expect(try client.getAttributes(file).mode == 0o100000 | expected)
            if uid == 0 {
                #expect(try client.attribute(file, "security.capability") == [1, 2, 3])
            } else {
                expectRefusal(.ENODATA) { try client.attribute(file, "security.capability") }
            }
        }
    }
}

extension StatusTests {
    @Test("a new size with a mode: the mode is the one of the message")
    func sizeAndMode() throws {
        let file = try client.created(root, "file", mode: 0o4755)
        let (other, otherRoot) = try server.attached(uid: 1000)
        let fid = try other.walk(otherRoot, "file")
        try other.set(fid, [.size, .mode], mode: 0o4711, size: 3)
        #expect(try client.getAttributes(file).mode == 0o104711)
        try other.set(fid, [.size, .mode], mode: 0o711, size: 3)
        #expect(try client.getAttributes(file).mode == 0o100711)
    }

    @Test("what can't be truncated keeps its bits")
    func refusedTruncation() throws {
        _ = try client.makeDirectory(root, "dir", mode: 0o2775)
        let (other, otherRoot) = try server.attached(uid: 1000)
        expectRefusal(.EISDIR) { try other.set(other.walk(otherRoot, "dir"), .size, size: 0) }
        expectRefusal(.EISDIR) { try other.opened(otherRoot, "dir", [.readWrite, .truncate]) }
        #expect(try client.status(root, "dir").mode == 0o042775)
        let file = try client.created(root, "file", mode: 0o4755)
        expectRefusal(.EFBIG) { try other.set(other.walk(otherRoot, "file"), .size, size: .max) }
        #expect(try client.getAttributes(file).mode == 0o104755)
    }
}

@Suite("Extended attributes")
struct ExtendedAttributeTests {
    private let server: TestServer
    private let client: Client
    private let root: Fid
    private let file: Fid

    init() throws {
        server = try TestServer()
        try server.tree.write("file", "text")
        (client, root) = try server.attached()
        file = try client.walk(root, "file")
    }

    /// user::rw-, user:1000:r--, group::r--, mask::r--, other::r--
    private static let accessList: [UInt8] =
        [2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0xe8, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255]
        + [16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255]

    @Test("set, read, list, replace, remove")
    func cycle() throws {
        try client.setAttribute(file, "user.note", Array("value".utf8))
        try client.setAttribute(file, "security.capability", [1, 0, 2])
        try client.setAttribute(file, "trusted.x", [])
        try client.setAttribute(file, "system.posix_acl_access", Self.accessList)
        #expect(try client.attribute(file, "user.note") == Array("value".utf8))
        #expect(try client.attribute(file, "trusted.x") == [])
        #expect(
            try Set(client.attributeNames(file)) == [
                "user.note", "security.capability", "trusted.x", "system.posix_acl_access",
            ]
        )
        #expect(server.tree.attribute("file", "user.containers.override_security.capability") == "\u{1}\0\u{2}")
        try client.setAttribute(file, "user.note", Array("other".utf8), flags: 2)
        #expect(try client.attribute(file, "user.note") == Array("other".utf8))
        try client.setAttribute(file, "user.note", [], flags: 2)
        expectRefusal(.ENODATA) { try client.attribute(file, "user.note") }
        try client.setAttribute(file, "user.note", [], flags: 0)
        #expect(try client.attribute(file, "user.note") == [])
    }

    @Test("missing is ENODATA and unsupported is EOPNOTSUPP, exactly", arguments: Link.oneAndMany)
    func exactErrors(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", "text")
        try server.tree.makeSymlink("link", to: "file")
        try server.tree.makeDirectory("dir")
        let (client, root) = try server.attached()
        _ = try client.makeNode(root, "node", mode: 0o020600, major: 1, minor: 3)
        for name in ["file", "dir", "node", "link"] {
            let fid = try client.walk(root, name)
            for attribute in [
                "user.none", "security.capability", "security.selinux", "trusted.none", "system.posix_acl_access",
                "system.posix_acl_default",
            ] {
                expectRefusal(.ENODATA, "\(name) \(attribute)") { try client.attribute(fid, attribute) }
            }
            for attribute in ["system.none", "system.nfs4_acl", "btrfs.compression", "none", "user", "."] {
                expectRefusal(.EOPNOTSUPP, "\(name) \(attribute)") { try client.attribute(fid, attribute) }
                expectRefusal(.EOPNOTSUPP, "\(name) \(attribute)") { try client.setAttribute(fid, attribute, [1]) }
            }
            #expect(try client.attributeNames(fid).isEmpty)
        }
        let file = try client.walk(root, "file")
        expectRefusal(.ENODATA) { try client.setAttribute(file, "user.none", [1], flags: 2) }
        expectRefusal(.ENODATA) { try client.setAttribute(file, "user.none", [], flags: 2) }
        try client.setAttribute(file, "user.there", [1], flags: 1)
        expectRefusal(.EEXIST) { try client.setAttribute(file, "user.there", [1], flags: 1) }
    }

    @Test("labels are hidden: for reading, listing, writing and removing")
    func hidden() throws {
        try client.set(file, [.uid, .mode], mode: 0o4755, uid: 1000)
        let label = server.tree.attribute("file", "user.containers.override_stat")
        #expect(label == "1000:0:04755:file")
        for name in [
            "user.containers.override_stat", "user.containers.override_security.capability", "user.virtfs.uid",
            "user.rsync.%stat", "user.rootlesscontainers",
        ] {
            expectRefusal(.ENODATA) { try client.attribute(file, name) }
            expectRefusal(.EPERM) { try client.setAttribute(file, name, Array("0:0:0777:file".utf8)) }
            expectRefusal(.EPERM) { try client.setAttribute(file, name, [], flags: 2) }
        }
        #expect(try client.attributeNames(file).isEmpty)
        #expect(server.tree.attribute("file", "user.containers.override_stat") == label)
    }

    @Test("a value is read in pieces; past its end there is nothing", arguments: Link.oneAndMany)
    func pieces(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", "text")
        try server.tree.setAttribute("file", "user.note", "0123456789")
        let (client, root) = try server.attached()
        let fid = client.newFid()
        let name = Array("user.note".utf8)
        let request = Txattrwalk(fid: try client.walk(root, "file"), newfid: fid, name: name.span.bytes)
        let size = try client.call(request) { (body) throws(WireError) in try Rxattrwalk(decoding: body).size }
        #expect(size == 10)
        #expect(try client.read(fid, at: 3, count: 4) == Array("3456".utf8))
        #expect(try client.read(fid, at: 8, count: 100) == Array("89".utf8))
        #expect(try client.read(fid, at: 0, count: 0).isEmpty)
        for offset in [10, 11, 1 << 32, 1 << 63, .max] as [UInt64] {
            #expect(try client.read(fid, at: offset, count: 100).isEmpty)
        }
        expectRefusal(.EBADF) { try client.write(fid, at: 0, [1]) }
        expectRefusal(.EBADF) { try client.open(fid) }
        expectRefusal(.EBADF) { try client.rawWalk(fid, to: client.newFid()) }
        try client.clunk(fid)
    }

    @Test("newfid in use, or the same as fid, is EBADF")
    func newfid() throws {
        try server.tree.setAttribute("file", "user.note", "x")
        let name = Array("user.note".utf8)
        for newfid in [file, root, .none] {
            expectRefusal(.EBADF) {
                try client.call(Txattrwalk(fid: file, newfid: newfid, name: name.span.bytes)) {
                    (body) throws(WireError) in try Rxattrwalk(decoding: body).size
                }
            }
        }
        #expect(try client.getAttributes(file).size == 4)
    }

    private func announce(_ name: String, size: UInt64, flags: UInt32 = 0) throws -> Fid {
        let upload = try client.walk(file, [String]())
        let name = Array(name.utf8)
        _ = try client.call(Txattrcreate(fid: upload, name: name.span.bytes, size: size, flags: flags)) {
            (body) throws(WireError) in try EmptyReply(.rxattrcreate, decoding: body)
        }
        return upload
    }

    @Test("a value that came short is EINVAL at Tclunk: nothing is stored, and the fid is gone")
    func short() throws {
        let upload = try announce("user.note", size: 10)
        try client.write(upload, at: 0, Array("01234".utf8))
        expectRefusal(.EINVAL) { try client.clunk(upload) }
        expectRefusal(.EBADF) { try client.clunk(upload) }
        expectRefusal(.ENODATA) { try client.attribute(file, "user.note") }
        let nothing = try announce("user.note", size: 10)
        expectRefusal(.EINVAL) { try client.clunk(nothing) }
        expectRefusal(.ENODATA) { try client.attribute(file, "user.note") }
    }

    @Test("a value comes in order and no longer than announced")
    func order() throws {
        let upload = try announce("user.note", size: 4)
        expectRefusal(.EINVAL) { try client.write(upload, at: 1, [1]) }
        try client.write(upload, at: 0, [1, 2])
        expectRefusal(.EINVAL) { try client.write(upload, at: 0, [9]) }
        expectRefusal(.EINVAL) { try client.write(upload, at: .max, [9]) }
        expectRefusal(.EINVAL) { try client.write(upload, at: 2, [3, 4, 5]) }
        expectRefusal(.EBADF) { try client.read(upload, at: 0, count: 2) }
        try client.write(upload, at: 2, [3, 4])
        try client.clunk(upload)
        #expect(try client.attribute(file, "user.note") == [1, 2, 3, 4])
    }

    @Test("Txattrcreate twice on one fid, or with unknown flags, is EINVAL")
    func twice() throws {
        let upload = try announce("user.note", size: 1)
        let name = Array("user.other".utf8)
        expectRefusal(.EINVAL) {
            try client.call(Txattrcreate(fid: upload, name: name.span.bytes, size: 1, flags: 0)) {
                (body) throws(WireError) in try EmptyReply(.rxattrcreate, decoding: body)
            }
        }
        try client.write(upload, at: 0, [7])
        try client.clunk(upload)
        #expect(try client.attribute(file, "user.note") == [7])
        #expect(throws: ClientError.refused(.EINVAL)) { try announce("user.note", size: 1, flags: 4) }
        #expect(throws: ClientError.refused(.EINVAL)) { try announce("", size: 1) }
    }

    @Test(
        "sizes above 64 KiB are E2BIG; what a session may have under way is bounded",
        arguments: [65_537, 1 << 32, .max] as [UInt64]
    )
    func absurdSizes(size: UInt64) throws {
        #expect(throws: ClientError.refused(.E2BIG)) { try announce("user.note", size: size) }
    }

    @Test("values under way are bounded: ENOSPC")
    func boundedBytes() throws {
        var uploads: [Fid] = []
        while uploads.count < 1000 {
            do throws(ClientError) {
                let fid = try client.walk(file, [String]())
                let name = Array("user.note".utf8)
                _ = try client.call(Txattrcreate(fid: fid, name: name.span.bytes, size: 65_536, flags: 0)) {
                    (body) throws(WireError) in try EmptyReply(.rxattrcreate, decoding: body)
                }
                uploads.append(fid)
            } catch {
                #expect(error == .refused(.ENOSPC))
                break
            }
        }
        #expect(uploads.count == 128)
        expectRefusal(.EINVAL) { try client.clunk(uploads[0]) }
        _ = try announce("user.note", size: 65_536)
    }

    @Test("names longer than 255 bytes are ERANGE, before they are kept", arguments: [256, 60_000])
    func longNames(length: Int) throws {
        let name = "user." + String(repeating: "n", count: length - 5)
        #expect(throws: ClientError.refused(.ERANGE)) { try announce(name, size: 1) }
        expectRefusal(.ERANGE) { try client.attribute(file, name) }
    }

    @Test("an attribute's fid isn't the file's: Tremove of one leaves the file alone")
    func removeThroughAttribute() throws {
        try server.tree.setAttribute("file", "user.note", "x")
        let fid = client.newFid()
        let name = Array("user.note".utf8)
        _ = try client.call(Txattrwalk(fid: file, newfid: fid, name: name.span.bytes)) {
            (body) throws(WireError) in try Rxattrwalk(decoding: body).size
        }
        expectRefusal(.EBADF) { try client.remove(fid) }
        let upload = try announce("user.note", size: 1)
        expectRefusal(.EBADF) { try client.remove(upload) }
        #expect(try server.tree.names() == ["file"])
    }
}
