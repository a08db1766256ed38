import FakeRoot
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

@Suite struct ImportTests {
    @Test(arguments: ["PAX", "GNU", "USTAR"]) func everyKindOfEntry(_ format: String) throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            """
            add('./', D, mode=0o750, mtime=1000)
            add('./bin', D, mtime=2000)
            add('./bin/su', mode=0o4755, data=b'su', mtime=3000)
            add('./bin/game', mode=0o2755, uid=5, gid=60)
            add('./bin/sudo', H, linkname='./bin/su')
            add('./sh', S, linkname='bin/su', mtime=4000)
            add('./tmp', D, mode=0o1777)
            add('./dev', D)
            add('./dev/null', C, devmajor=1, devminor=3, mode=0o666)
            add('./dev/sda1', B, devmajor=8, devminor=1, mode=0o660, gid=6, mtime=5000)
            add('./dev/pipe', P, mode=0o600)
            add('./shadow', mode=0o640, gid=42)
            add('./secret', mode=0o000)
            """,
            format: format
        )
        let summary = try fixture.importing(archive)
        #expect(try fixture.status(".").mode == 0o40750)
        #expect(try fixture.status(".").host.modificationTime.seconds == 1000)
        #expect(try fixture.status("bin").host.modificationTime.seconds == 2000)
        #expect(try fixture.status("bin/su").mode == 0o104755)
        #expect(try fixture.status("bin/su").host.mode == 0o100755)
        #expect(try fixture.status("bin/su").host.modificationTime.seconds == 3000)
        #expect(try fixture.status("bin/su").host.linkCount == 2)
        #expect(try fixture.status("bin/sudo").host.inode == fixture.status("bin/su").host.inode)
        let game = try fixture.status("bin/game")
        #expect(game.uid == 5 && game.gid == 60 && game.mode == 0o102755)
        #expect(try fixture.status("sh").kind == .symlink)
        #expect(try fixture.status("sh").host.modificationTime.seconds == 4000)
        #expect(try fixture.status("tmp").mode == 0o41777)
        #expect(try fixture.status("dev/null").kind == .character(major: 1, minor: 3))
        let disk = try fixture.status("dev/sda1")
        #expect(disk.kind == .block(major: 8, minor: 1) && disk.gid == 6 && disk.permissions == 0o660)
        #expect(disk.host.modificationTime.seconds == 5000)
        #expect(try fixture.status("dev/pipe").kind == .pipe)
        #expect(try fixture.status("shadow").gid == 42)
        #expect(try fixture.status("secret").permissions == 0)
        #expect(try fixture.host.read("root/bin/su") == Array("su".utf8))
        #expect(summary.entries == 13)
        #expect(summary.files == 4 && summary.directories == 4 && summary.symlinks == 1)
        #expect(summary.hardLinks == 1 && summary.specials == 3)
        // su, game, shadow, secret, and three specials.
        #expect(summary.labels == 7)
        #expect(summary.losses.isEmpty && summary.notices == [])
        #expect(try fixture.host.names() == [".root.usb9pfs.db", "a.tar", "make.py", "root"])
    }

    @Test(.enabled(if: isInstalled("bsdtar")), arguments: ["gzip", "xz", "zstd", "bzip2", "lzma", "compress"])
    func compressed(_ filter: String) throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('d', D)\nfor i in range(300): add(f'd/{i}', data=b'%d' % i * 1000)")
        let compressed = fixture.host.file("a.tar.x")
        let result = try run("bsdtar", "-cf", compressed, "--\(filter)", "@\(archive)")
        try #require(result.status == 0, "\(result.output)")
        let summary = try fixture.importing(compressed)
        #expect(summary.files == 300)
        #expect(try fixture.host.read("root/d/299") == Array(String(repeating: "299", count: 1000).utf8))
        #expect(summary.archiveBytes == UInt64(try System.status(of: compressed).size))
    }

    /// Of several gzip members, as pigz, bgzip and `cat a.gz b.gz` write them, padded with zeros as a tape is.
    @Test func gzipOfSeveralMembers() throws {
        let fixture = try ImportFixture()
        _ = try fixture.archive("for i in range(50): add(f'{i}', data=b'x' * 5000)")
        let script = """
            cd "$1" && split -b 10001 a.tar part. && for f in part.*; do gzip -c $f; done > a.tar.gz && rm part.* &&
            head -c 5000 /dev/zero >> a.tar.gz
            """
        #expect(try run("sh", "-c", script, "sh", fixture.host.path).status == 0)
        #expect(try fixture.importing(fixture.host.file("a.tar.gz")).files == 50)
    }

    @Test func nanosecondsAndTimesBefore1970() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            """
            add('d', D, mtime=1600000000.25)
            add('d/a', mtime=1700000000.123456789)
            add('d/old', pax={'mtime': '-1.5'})
            add('d/older', pax={'mtime': '-86400'})
            """
        )
        try fixture.importing(archive)
        #expect(
            try fixture.status("d").host.modificationTime == FileTime(seconds: 1_600_000_000, nanoseconds: 250_000_000)
        )
        #expect(try fixture.status("d/a").host.modificationTime.nanoseconds / 1000 == 123_456)
        // 1.5 s before 1970: libarchive takes it for half a second before.
        #expect(try fixture.status("d/old").host.modificationTime == FileTime(seconds: -2, nanoseconds: 500_000_000))
        #expect(try fixture.manifest()["d/old"]?.modificationTime == FileTime(seconds: -2, nanoseconds: 500_000_000))
        #expect(try fixture.status("d/older").host.modificationTime == FileTime(seconds: -86_400, nanoseconds: 0))
    }

    /// Entries of a directory may come in any order, and the directory itself after them.
    @Test func directoryTimesSurviveWhatIsMadeInThem() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            """
            add('a', D, mtime=1000); add('b', D, mtime=2000)
            add('a/x', D, mtime=3000); add('b/1'); add('a/x/1'); add('b/2'); add('a/2'); add('a/x/3')
            add('late/inner/file'); add('late', D, mtime=4000, uid=3); add('late/inner', D, mtime=5000)
            """
        )
        let summary = try fixture.importing(archive)
        for (path, time) in [("a", 1000), ("b", 2000), ("a/x", 3000), ("late", 4000), ("late/inner", 5000)] {
            #expect(try fixture.status(path).host.modificationTime.seconds == Int64(time), "\(path)")
        }
        #expect(try fixture.status("late").uid == 3)
        #expect(try fixture.status(".").mode == 0o40755)
        #expect(summary.entries == 11)
        #expect(summary.directories == 6)  // with the root
    }

    @Test(.enabled(if: isInstalled("bsdtar"))) func sparseFilesStaySparse() throws {
        let fixture = try ImportFixture()
        let script = """
            cd "$1" && truncate -s 64M s && printf end | dd of=s bs=1 seek=33554432 conv=notrunc 2>/dev/null &&
            truncate -s 8M hole && tar -S -cf gnu.tar s hole && tar -S --format=posix -cf pax.tar s hole &&
            bsdtar --format=pax -cf bsd.tar s hole && rm s hole
            """
        try #require(try run("sh", "-c", script, "sh", fixture.host.path).status == 0)
        for name in ["gnu", "pax", "bsd"] {
            try fixture.importing(fixture.host.file("\(name).tar"), to: name)
            let file = try fixture.status("s", in: name).host
            #expect(file.size == 64 << 20, "\(name)")
            #expect(file.blocks < 1024, "\(name)")
            #expect(try fixture.status("hole", in: name).host.size == 8 << 20, "\(name)")
            let content = try fixture.host.read("\(name)/s")
            #expect(content[33_554_432..<33_554_435].elementsEqual("end".utf8))
        }
    }

    @Test func attributesAreKeptAndForeignLabelsAreNot() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            """
            cap = bytes.fromhex('0100000200200000000000000000000000000000').decode('latin-1')
            add('ping', mode=0o755, pax={'SCHILY.xattr.security.capability': cap, 'SCHILY.xattr.user.mine': 'x'})
            add('d', D, pax={'SCHILY.xattr.user.mine': 'y'})
            add('null', C, devmajor=1, devminor=3, pax={'SCHILY.xattr.security.selinux': 'z'})
            add('evil', pax={'SCHILY.xattr.user.containers.override_stat': '0:0:04755:file'})
            add('odd', pax={'SCHILY.xattr.system.nfs4_acl': 'q'})
            add('l', S, linkname='ping', pax={'SCHILY.xattr.security.selinux': 'z'})
            """
        )
        let summary = try fixture.importing(archive)
        let capability = try fixture.attribute("security.capability", of: "ping")
        #expect(capability == [1, 0, 0, 2, 0, 0x20] + [UInt8](repeating: 0, count: 14))
        #expect(try fixture.attribute("user.mine", of: "ping") == [UInt8(ascii: "x")])
        #expect(try fixture.attribute("user.mine", of: "d") == [UInt8(ascii: "y")])
        #expect(try fixture.attribute("security.selinux", of: "null") == [UInt8(ascii: "z")])
        #expect(try fixture.status("evil").mode == 0o100644)
        #expect(try fixture.attribute("security.selinux", of: "l") == [UInt8(ascii: "z")])
        #expect(summary.attributes == 5)
        #expect(summary.losses.hiddenAttributes == 1)
        #expect(summary.losses.attributes == 1)
    }

    /// As root this is the real thing: what setcap made and GNU tar stored.
    @Test(.enabled(if: System.effectiveUser == 0 && isInstalled("setcap"))) func setcapThroughGNUTar() throws {
        let fixture = try ImportFixture()
        let script = """
            cd "$1" && mkdir in && cp /bin/true in/ping && setcap cap_net_raw+ep in/ping &&
            tar --xattrs --xattrs-include='*' -C in -cf a.tar .
            """
        try #require(try run("sh", "-c", script, "sh", fixture.host.path).status == 0)
        try fixture.importing(fixture.host.file("a.tar"))
        let capability = try fixture.attribute("security.capability", of: "ping")
        #expect(capability.starts(with: [1, 0, 0, 2, 0, 0x20]))
    }

    /// libarchive normalizes UTF-8 to NFC if the locale lets it; Linux keeps both names apart.
    @Test func namesAreBytes() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            #"""
            add('e\u0301', data=b'nfd'); add('\u00e9', data=b'nfc')
            add('link', S, linkname='e\u0301'); add('hard', H, linkname='e\u0301')
            add('bad-\udcff\udc80'); add('new\nline'); add('x' * 255); add('-rf')
            """#
        )
        let summary = try fixture.importing(archive)
        #expect(summary.notices == [])
        #expect(try fixture.host.read("root/e\u{301}") == Array("nfd".utf8))
        #expect(try fixture.host.read("root/\u{e9}") == Array("nfc".utf8))
        #expect(try fixture.host.read("root/hard") == Array("nfd".utf8))
        #expect(try fixture.host.read("root/link") == Array("nfd".utf8))
        #expect(try run("test", "-e", "\(fixture.host.path)/root/new\nline").status == 0)
        let root = try System.open(fixture.host.file("root"), [.readOnly, .directory])
        #expect(try System.names(in: root.raw).contains(Array("bad-".utf8) + [0xff, 0x80]))
        // A Swift string can't name that one, so the temporary directory couldn't remove it.
        #expect(try run("rm", "-r", fixture.host.file("root")).status == 0)
    }

    @Test func pathsAreStrippedOnDemand() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            "add('/abs/a', data=b'1'); add('.//./x//y', data=b'2'); add('/abs/h', H, linkname='/abs/a')"
        )
        var options = ImportOptions()
        options.stripsAbsoluteNames = true
        try fixture.importing(archive, to: "root", options)
        #expect(try fixture.host.read("root/abs/h") == Array("1".utf8))
        #expect(try fixture.host.read("root/x/y") == Array("2".utf8))
    }

    /// `tar -r` and `tar -u` add a newer version at the end.
    @Test func laterEntryReplacesAnEarlierOne() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            """
            add('a', data=b'old', mode=0o4755); add('h', H, linkname='a'); add('s', S, linkname='/etc')
            add('d', D, pax={'SCHILY.xattr.user.old': '1'}); add('d/x'); add('n', C, devmajor=1, devminor=3)
            add('a', data=b'new'); add('s', S, linkname='/new'); add('d', D, uid=7, mtime=1000)
            add('n', P); add('h', data=b'file'); add('h', H, linkname='h')
            """
        )
        let summary = try fixture.importing(archive)
        #expect(try fixture.host.read("root/a") == Array("new".utf8))
        #expect(try fixture.status("a").mode == 0o100644)
        #expect(try fixture.status("s").host.size == 4)
        #expect(try fixture.status("d").uid == 7)
        #expect(try fixture.status("d").host.modificationTime.seconds == 1000)
        #expect(throws: Errno.ENODATA) { try fixture.attribute("user.old", of: "d") }
        #expect(try fixture.status("n").kind == .pipe)
        #expect(try fixture.host.read("root/h") == Array("file".utf8))
        #expect(try fixture.host.names("root/d") == ["x"])
        #expect(summary.replaced == 4)
        let manifest = try fixture.manifest()
        #expect(manifest["a"]?.size == 3 && manifest["a"]?.status.mode == 0o644)
        #expect(manifest["s"]?.linkTarget == Array("/new".utf8))
        #expect(manifest["d"]?.status.uid == 7)
    }

    @Test func ownersOfSymlinksAreKept() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('l', S, linkname='x', uid=5, gid=6); add('m', S, linkname='x')")
        let summary = try fixture.importing(archive)
        #expect(summary.losses.isEmpty)
        let link = try fixture.status("l")
        #expect(link.uid == 5 && link.gid == 6 && link.kind == .symlink)
        #expect(try fixture.status("m").uid == 0)
    }

    /// A directory of mode 0000 on the board can be removed by its owner on the host.
    @Test func treeCanBeRemovedWithOrdinaryTools() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('d', D, mode=0); add('d/e', D, mode=0o555); add('d/e/f', mode=0)")
        try fixture.importing(archive)
        #expect(try fixture.status("d").permissions == 0)
        #expect(try run("rm", "-r", fixture.host.file("root")).status == 0)
    }

    @Test(.enabled(if: isInstalled("bsdtar"))) func roundTripThroughBsdtarOfRealFiles() throws {
        let fixture = try ImportFixture()
        let archive = fixture.host.file("a.tar.zst")
        let made = try run(
            "bsdtar",
            "--uid",
            "0",
            "--gid",
            "0",
            "--zstd",
            "-C",
            "/usr/include",
            "-cf",
            archive,
            "linux"
        )
        try #require(made.status == 0, "\(made.output)")
        try fixture.importing(archive)
        let compared = try run("diff", "-r", "/usr/include/linux", fixture.host.file("root/linux"))
        #expect(compared.status == 0, "\(compared.output)")
    }

    @Test func progressGrowsToTheArchivesSize() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("for i in range(30): add(f'{i}', data=b'x' * 100000)")
        var seen: [ImportProgress] = []
        let summary = try Importer(source: archive, destination: fixture.host.file("root")).run { seen.append($0) }
        #expect(seen.count >= 30)
        #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.contentBytes <= $1.contentBytes })
        #expect(seen.last?.contentBytes == 3_000_000 && summary.contentBytes == 3_000_000)
        #expect(seen.allSatisfy { $0.archiveSize == summary.archiveBytes })
    }
}

extension System {
    /// Follows symbolic links.
    static func status(of path: String) throws(Errno) -> FileStatus {
        let file = try open(path, .path)
        return try status(of: file.raw)
    }
}
