import FakeRoot
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// Sources besides tar archives, made with other people's tools, and how they are told apart.
@Suite struct SourceKindTests {
    /// A root filesystem as cpio and squashfs can have it. Python writes newc: GNU cpio can't make devices as a user.
    private static let files = """
        add('./', D, mode=0o750, mtime=1000)
        add('./bin', D, mtime=2000)
        add('./bin/su', mode=0o4755, data=b'su', mtime=3000, uid=7)
        add('./bin/sudo', H, linkname='./bin/su')
        add('./sh', S, linkname='bin/su', uid=5, gid=6, mtime=4000)
        add('./dev', D, mtime=5000)
        add('./dev/null', C, devmajor=1, devminor=3, mode=0o666)
        add('./dev/sda', B, devmajor=8, devminor=300, mode=0o660, gid=6)
        add('./dev/pipe', P, mode=0o600)
        add('./big', data=bytes(range(256)) * 4000)
        """

    private func check(_ fixture: ImportFixture, _ root: String, hasRoot: Bool = true) throws {
        if hasRoot { #expect(try fixture.status(".", in: root).mode == 0o40750) }
        let program = try fixture.status("bin/su", in: root)
        #expect(program.mode == 0o104755 && program.uid == 7 && program.host.linkCount == 2)
        #expect(program.host.modificationTime.seconds == 3000)
        #expect(try fixture.status("bin/sudo", in: root).host.inode == program.host.inode)
        let link = try fixture.status("sh", in: root)
        #expect(link.kind == .symlink && link.uid == 5 && link.gid == 6)
        #expect(try fixture.status("dev/null", in: root).kind == .character(major: 1, minor: 3))
        let disk = try fixture.status("dev/sda", in: root)
        #expect(disk.kind == .block(major: 8, minor: 300) && disk.gid == 6 && disk.permissions == 0o660)
        #expect(try fixture.status("dev/pipe", in: root).kind == .pipe)
        #expect(try fixture.status("dev", in: root).host.modificationTime.seconds == 5000)
        #expect(try fixture.host.read("\(root)/bin/sudo") == Array("su".utf8))
        #expect(try fixture.host.read("\(root)/big").count == 1_024_000)
        let manifest = try fixture.manifest(root)
        #expect(manifest.count == 10)
        let hash = SHA256.hash(Array("su".utf8).span.bytes)
        #expect(manifest["bin/su"]?.hash == hash && manifest["bin/sudo"]?.hash == hash)
        #expect(manifest["bin/su"]?.status.uid == 7 && manifest["bin/sudo"]?.status.mode == 0o4755)
        #expect(manifest["big"]?.size == 1_024_000)
        #expect(manifest["sh"]?.status.uid == 5 && manifest["sh"]?.linkTarget == Array("bin/su".utf8))
        #expect(manifest["dev/sda"]?.status.kind == .block(major: 8, minor: 300))
    }

    @Test func cpio() throws {
        let fixture = try ImportFixture()
        _ = try fixture.archive(Self.files)
        try fixture.host.write(
            "cpio.py",
            """
            import tarfile
            out, inodes = open('a.cpio', 'wb'), {}
            kinds = {b'0': 0o100000, b'1': 0o100000, b'2': 0o120000, b'3': 0o20000, b'4': 0o60000, b'5': 0o40000, b'6': 0o10000}
            def put(name, mode, ino, t, data, links):
                name = name.encode() + b'\\0'
                head = b'070701' + b''.join(b'%08x' % n for n in (ino, mode, t.uid, t.gid, links, int(t.mtime), len(data),
                    0, 0, t.devmajor, t.devminor, len(name), 0)) + name
                out.write(head + b'\\0' * (-len(head) % 4) + data + b'\\0' * (-len(data) % 4))
            tar = tarfile.open('a.tar')
            for t in tar:
                ino = inodes[t.linkname] if t.islnk() else inodes.setdefault(t.name, len(inodes) + 1)
                source = tar.getmember(t.linkname) if t.islnk() else t
                links = 2 if 'su' in t.name else 1
                data = t.linkname.encode() if t.issym() else tar.extractfile(source).read() if source.isreg() else b''
                if links == 2 and not t.islnk(): data = b''
                put(t.name, kinds[source.type] | source.mode, ino, source, data, links)
            put('TRAILER!!!', 0, 0, tarfile.TarInfo(), b'', 1)
            """
        )
        try fixture.shell("python3 cpio.py")
        #expect(try fixture.importing(fixture.host.file("a.cpio")).kind == .cpio)
        try check(fixture, "root")
    }

    /// GNU cpio writes the content with a file's last name.
    @Test(.enabled(if: isInstalled("cpio")), arguments: ["newc", "crc", "odc", "bin"])
    func contentWithTheLastName(_ format: String) throws {
        let fixture = try ImportFixture()
        try fixture.shell(
            "mkdir in; cd in; echo content > c; ln c b; ln c a; touch -d @7 c; ls a b c | cpio -o -H $1 > ../a.cpio",
            format
        )
        try fixture.importing(fixture.host.file("a.cpio"))
        for name in ["a", "b", "c"] {
            #expect(try fixture.host.read("root/\(name)") == Array("content\n".utf8))
            let entry = try fixture.manifest()[name]
            #expect(entry?.hash == SHA256.hash(Array("content\n".utf8).span.bytes), "\(name)")
            #expect(entry?.size == 8 && entry?.modificationTime.seconds == 7, "\(name)")
        }
        #expect(try fixture.status("a").host.linkCount == 3)
    }

    /// An early archive with microcode, zeros, and the compressed initramfs behind it.
    @Test(.enabled(if: isInstalled("cpio")), arguments: ["gzip", "xz", "zstd -q", "bzip2", "cat"])
    func initramfsOfSeveralArchives(_ program: String) throws {
        let fixture = try ImportFixture()
        try fixture.shell(
            """
            mkdir one two; echo 1 > one/early; echo 2 > two/init; head -c 300000 /dev/urandom > two/data
            (cd one; ls | cpio -o -H newc) > image; head -c 1000 /dev/zero >> image
            (cd two; ls | cpio -o -H newc) | $1 >> image; cp two/data expected
            """,
            program
        )
        try fixture.importing(fixture.host.file("image"))
        #expect(try fixture.host.names("root") == ["data", "early", "init"])
        #expect(try fixture.host.read("root/data") == fixture.host.read("expected"))
        try fixture.shell("cp image image.more; head -c 1000 /dev/urandom >> image.more; rm -r root")
        #expect(try fixture.refusal(fixture.host.file("image.more")).code == .badArchive)
        try fixture.shell("head -c 100000 image > cut; rm -rf root")
        #expect(try fixture.refusal(fixture.host.file("cut")).code == .badArchive)
    }

    @Test(.enabled(if: isInstalled("sqfs2tar") && isInstalled("tar2sqfs")), arguments: ["cat", "zstd -q", "gzip"])
    func squashfs(_ program: String) throws {
        let fixture = try ImportFixture()
        _ = try fixture.archive(Self.files)
        try fixture.shell("tar2sqfs -q image < a.tar; $1 < image > image.x", program)
        let summary = try fixture.importing(fixture.host.file("image.x"))
        #expect(summary.kind == .squashfs)
        try check(fixture, "root")
        #expect(try fixture.host.names().filter { $0.contains("importing") } == [])
    }

    @Test(.enabled(if: isInstalled("sqfs2tar") && isInstalled("tar2sqfs"))) func squashfsAttributesAndDamage() throws {
        let fixture = try ImportFixture()
        _ = try fixture.archive(
            """
            cap = bytes.fromhex('0100000200200000000000000000000000000000').decode('latin-1')
            add('ping', mode=0o755, pax={'SCHILY.xattr.security.capability': cap})
            import random; add('data', data=random.randbytes(400000))
            """
        )
        try fixture.shell("tar2sqfs -q image < a.tar")
        try fixture.importing(fixture.host.file("image"))
        #expect(try fixture.attribute("security.capability", of: "ping").starts(with: [1, 0, 0, 2, 0, 0x20]))
        #expect(try fixture.manifest()["ping"]?.capability?.count == 20)
        try fixture.shell("rm -r root; size=$(stat -c %s image); truncate -s $((size / 3)) image")
        let error = try fixture.refusal(fixture.host.file("image"))
        #expect(error.code == .badArchive && error.message.contains("sqfs2tar"), "\(error.message)")
    }

    @Test(.enabled(if: isInstalled("mke2fs"))) func compressedExt4Image() throws {
        let fixture = try ImportFixture()
        try fixture.shell("mkdir in; echo x > in/f; mke2fs -q -d in -t ext4 image 8M; gzip image; rm -r in")
        let summary = try fixture.importing(fixture.host.file("image.gz"))
        #expect(summary.kind == .ext4)
        #expect(try fixture.host.names("root") == ["f"])
    }

    @Test(arguments: [SourceKind.cpio, .squashfs, .ext4, .pseudo, .oci, .docker])
    func wrongKind(_ kind: SourceKind) throws {
        let fixture = try ImportFixture()
        var options = ImportOptions()
        options.kind = kind
        let error = try fixture.refusal(fixture.archive("add('a')"), options)
        #expect(error.code == .badArchive)
        #expect(error.message.contains("it can't be imported as \(kind.description)"), "\(error.message)")
        #expect(error.hint?.contains("--from \(kind.rawValue)") == true)
    }

    @Test func directory() throws {
        let fixture = try ImportFixture()
        try fixture.shell("mkdir -p in/d; echo x > in/d/f; chmod 600 in/d/f")
        #expect(try fixture.importing(fixture.host.file("in")).kind == .directory)
        #expect(try fixture.status("d/f").mode == 0o100600)
        try fixture.shell("rm -r root")
        var options = ImportOptions()
        options.kind = .tar
        #expect(try fixture.refusal(fixture.host.file("in/d"), options).message.contains("is a directory"))
    }

    /// In both forms: libarchive's SCHILY.acl, and Linux' own as an attribute.
    @Test func accessControlLists() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            """
            add('f', mode=0o660, pax={'SCHILY.acl.access': 'user::rw-,user:joe:r--:1000,group::r--,mask::rw-,other::---'})
            add('d', D, pax={'SCHILY.acl.default': 'user::rwx,group::r-x,group:adm:rwx:4,mask::rwx,other::r-x'})
            add('trivial', pax={'SCHILY.acl.access': 'user::rw-,group::r--,other::r--'})
            add('named', mode=0o640, pax={'SCHILY.acl.access': 'user::rw-,user:joe:rwx,group::r--,mask::rwx,other::---'})
            """
        )
        let summary = try fixture.importing(archive)
        let access = AccessControlList(attribute: try fixture.attribute("system.posix_acl_access", of: "f"))
        #expect(access?.entries.contains(AccessControlList.Entry(.user, permissions: 4, id: 1000)) == true)
        #expect(try fixture.status("f").permissions == 0o660)
        #expect(try fixture.manifest()["f"]?.status.mode == 0o660)
        let list = AccessControlList(attribute: try fixture.attribute("system.posix_acl_default", of: "d"))
        #expect(list?.entries.contains(AccessControlList.Entry(.group, permissions: 7, id: 4)) == true)
        #expect(throws: Errno.ENODATA) { try fixture.attribute("system.posix_acl_access", of: "trivial") }
        #expect(summary.notices.count == 1 && summary.notices[0].hasPrefix("named: "), "\(summary.notices)")
    }

    /// A content's hash, also of holes and of what hard links share; implied directories; nothing that was removed.
    @Test func manifest() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            """
            add('implied/deep/f', data=b'x' * 300000, uid=1, mtime=1234.5)
            add('implied/g', H, linkname='implied/deep/f')
            """
        )
        try fixture.importing(archive)
        let manifest = try fixture.manifest()
        #expect(manifest.keys.sorted() == ["", "implied", "implied/deep", "implied/deep/f", "implied/g"])
        let hash = SHA256.hash([UInt8](repeating: UInt8(ascii: "x"), count: 300_000).span.bytes)
        #expect(manifest["implied/g"]?.hash == hash)
        #expect(manifest["implied/deep/f"]?.modificationTime == FileTime(seconds: 1234, nanoseconds: 500_000_000))
        #expect(manifest["implied"]?.status == Label(uid: 0, gid: 0, mode: 0o755, kind: .directory))
        try fixture.shell("truncate -s 3M hole; printf end >> hole; tar -S -cf s.tar hole")
        try fixture.importing(fixture.host.file("s.tar"), to: "sparse")
        var whole = [UInt8](repeating: 0, count: 3 << 20)
        whole += Array("end".utf8)
        #expect(try fixture.manifest("sparse")["hole"]?.hash == SHA256.hash(whole.span.bytes))
    }
}
