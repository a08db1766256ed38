import Archives
import FakeRoot
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// Archives that must be refused, with the entry's name and with nothing left.
@Suite struct HostileArchiveTests {
    private func refusal(_ body: String, format: String = "PAX") throws -> ImageError {
        let fixture = try ImportFixture()
        return try fixture.refusal(fixture.archive("add('good')\n" + body, format: format))
    }

    @Test(arguments: [
        ("add('../evil')", "../evil"),
        ("add('a/../../evil')", "a/../../evil"),
        ("add('/../evil')", "/../evil"),
        ("add('..', D)", ".."),
        ("add('a/..', D)", "a/.."),
        (
            "add('l', S, linkname='..'); add('l/evil')",
            "l/evil: l in its path is a symbolic link to .., which leads out of"
        ),
        (
            "add('d', D); add('d/l', S, linkname='../../etc'); add('d/l/x', D)",
            "d/l/x: l in its path is a symbolic link to ../../etc, which leads out of the tree"
        ),
        ("add('l', S, linkname='/../tmp'); add('l/evil')", "which leads out of the tree"),
        ("add('a/b/l', S, linkname='/a/../..'); add('a/b/l/evil')", "which leads out of the tree"),
        (
            "add('m', S, linkname='d/l'); add('d/l', S, linkname='../..'); add('m/evil')",
            "m/evil: l in its path is a symbolic link to ../.., which leads out of the tree"
        ),
        ("add('l', S, linkname='..'); add('l/../evil')", "\"..\""),
        ("add('l', S, linkname='l'); add('l/x')", "l/x: its path leads through more than 40 symbolic links"),
        ("add('l', S, linkname='m'); add('m', S, linkname='/l'); add('l/x')", "more than 40 symbolic links"),
        (
            "add('f'); add('l', S, linkname='f'); add('l/x')",
            "l in its path is a symbolic link to f, where f is not a directory"
        ),
        ("add('l', S, linkname='no/../d'); add('d', D); add('l/x')", "leads through a directory that is not there"),
        ("add('l', S, linkname='a/.x.usb9pfs.db'); add('l/x')", "reserved"),
        ("add('l', S, linkname='.usb9pfs-new.1.1'); add('l/x')", "reserved"),
        ("add('l', S, linkname='x' * 256); add('l/x')", "longer than 255 bytes"),
        (
            "add('l', S, linkname='/'.join(['d'] * 400)); add('l/m', S, linkname='/'.join(['d'] * 400)); add('l/m/x')",
            "nested more than 512 directories deep"
        ),
        (
            "[add(f'l{i}', S, linkname='d/../' * 600 + f'l{i+1}') for i in range(30)]; add('d', D)\n"
                + "add('l0/x')",
            "has more than 4096 names"
        ),
        (
            "add('d', D); add('d/f'); add('d', S, linkname='/tmp')",
            "d: an earlier entry of this name is of another kind"
        ),
        ("add('f'); add('f/x')", "f/x: f in its path is not a directory"),
        ("add('p', P); add('p/x')", "p/x: p in its path is not a directory"),
        ("add('h', H, linkname='etc/passwd')", "h: it is a hard link to etc/passwd, which is not in the archive"),
        ("add('h', H, linkname='/etc/passwd')", "h: the target of the hard link, /etc/passwd: its name begins"),
        ("add('/abs')", "/abs: its name begins with a \"/\""),
        ("add('f'); add('f', S, linkname='/etc')", "f: an earlier entry of this name is of another kind"),
        ("add('l', S, linkname='/../etc'); add('l', D)", "l: an earlier entry of this name is of another kind"),
        ("add('f'); add('l', S, linkname='f'); add('l', D)", "l: an earlier entry of this name is of another kind"),
        ("add('l', S, linkname='/etc'); add('l')", "l: an earlier entry of this name is of another kind"),
        ("add('e', D); add('e', S, linkname='/etc')", "e: an earlier entry of this name is of another kind"),
        ("add('f'); add('f', C, devmajor=1, devminor=3)", "f: an earlier entry of this name is of another kind"),
        ("add('h', H, linkname='../../etc/passwd')", "h: the target of the hard link"),
        ("add('h', H, linkname='later'); add('later')", "h: it is a hard link to later"),
        (
            "add('l', S, linkname='/etc'); add('h', H, linkname='l/passwd')",
            "h: it is a hard link to l/passwd, which is not"
        ),
        (
            "add('l', S, linkname='../..'); add('h', H, linkname='l/etc/passwd')",
            "h: it is a hard link to l/etc/passwd: l in its path is a symbolic link to ../.., which leads out of the tree"
        ),
        ("add('d', D); add('h', H, linkname='d')", "h: it is a hard link to d, a directory"),
        ("add('h', H, linkname='.')", "a directory"),
        ("add('x' * 256)", "longer than 255 bytes"),
        ("add('/'.join(['d' * 200] * 21))", "longer than 4095 bytes"),
        ("add('/'.join(['d'] * 600))", "more than 512 directories deep"),
        ("add('.usb9pfs-new.1.1')", "reserved"),
        ("add('d/.usb9pfs-new.x/y')", "reserved"),
        ("add('.etc.usb9pfs.db')", "reserved"),
        ("add('a/b/.etc.usb9pfs.db-wal')", "reserved"),
        ("add('a/.x.usb9pfs.db.old', S, linkname='/etc/passwd')", "reserved"),
        ("add('a/.x.usb9pfs.db', D)", "reserved"),
        ("add('h', H, linkname='a/.x.usb9pfs.db')", "reserved"),
        ("add('c', C, devmajor=5000, devminor=1)", "c: Linux has no such type of file or device number"),
        ("add('u', pax={'uid': '4294967295'})", "u: its owner or group"),
        ("add('u', pax={'gid': '99999999999'})", "u: its owner or group"),
        ("add('s', S, linkname='')", "s: it points nowhere"),
        ("add('./', S, linkname='/etc')", "the root must be a directory"),
        ("add('.', H, linkname='good')", "the root must be a directory"),
        ("add('evil\\x1b[2J/../x')", "evil\\x1b[2J/../x"),
    ])
    func refused(_ body: String, _ message: String) throws {
        let error = try refusal(body)
        #expect(error.code == .refusedEntry)
        #expect(error.message.contains(message), "\(error.message)")
        #expect(!error.message.utf8.contains(0x1b))
    }

    /// As all of them were before links were followed.
    @Test(arguments: [
        ("add('l', S, linkname='/tmp'); add('l/evil')", "l/evil: l in its path is a symbolic link"),
        ("add('l', S, linkname='.'); add('l/a/b')", "l/a/b: l in its path is a symbolic link"),
        ("add('d', D); add('d/l', S, linkname='..'); add('d/l/x', D)", "d/l/x: l in its path is a symbolic link"),
        ("add('l', S, linkname='/etc'); add('h', H, linkname='l/passwd')", "h: it is a hard link to l/passwd, whose"),
        ("add('d', D); add('l', S, linkname='d'); add('l', D)", "l: an earlier entry of this name is of another kind"),
    ])
    func refusedWhereNoLinkIsFollowed(_ body: String, _ message: String) throws {
        let fixture = try ImportFixture()
        var options = ImportOptions()
        options.followsLinks = false
        let error = try fixture.refusal(fixture.archive(body), options)
        #expect(error.code == .refusedEntry && error.message.contains(message), "\(error.message)")
        #expect(error.hint?.contains("--no-follow-links") == error.message.contains("symbolic link"))
    }

    /// They must set neither owner and mode nor the mark of a conversion.
    @Test(arguments: [
        "user.usb9pfs.convert", "user.usb9pfs.db", "user.containers.override_stat", "user.rsync.%stat",
        "user.virtfs.uid",
        "user.rootlesscontainers", "user.fuseoverlayfs.override_stat",
    ])
    func attributesOfToolsAreLeftOut(_ name: String) throws {
        let fixture = try ImportFixture()
        let field = "pax={'SCHILY.xattr.\(name)': 'clean override-stat rsync'}"
        let summary = try fixture.importing(
            fixture.archive("add('.', D, \(field)); add('d', D, \(field)); add('f', \(field))")
        )
        #expect(summary.losses.hiddenAttributes == 3 && summary.attributes == 0)
        // The import makes attributes of these names itself, but does not take the archive's.
        try fixture.shell("! getfattr -R -h -d -m - root | grep 'clean override'")
    }

    @Test func limits() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a', data=b'x' * 1000); add('b', data=b'x' * 1000); add('c')")
        var options = ImportOptions()
        options.maxSize = 1999
        let size = try fixture.refusal(archive, options)
        #expect(size.code == .refusedEntry && size.message.contains("refused b: "), "\(size.message)")
        #expect(size.hint?.contains("--max-size") == true)
        options.maxSize = 2000
        options.maxEntries = 2
        let count = try fixture.refusal(archive, options)
        #expect(count.code == .refusedEntry && count.message.contains("refused c: "), "\(count.message)")
        options.maxEntries = 3
        #expect(try fixture.importing(archive, to: "root", options).entries == 3)
    }

    /// The header says 10 bytes, and a limit would let that pass; the map has its data a tebibyte further on.
    @Test func sparseMapBeyondTheSize() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            "add('s', data=b'0123456789', pax={'GNU.sparse.major': '0', 'GNU.sparse.minor': '1', 'GNU.sparse.numblocks': "
                + "'1', 'GNU.sparse.map': '1099511627776,10', 'GNU.sparse.size': '10', 'GNU.sparse.name': 'bomb'})"
        )
        var options = ImportOptions()
        options.maxSize = 1 << 20
        let error = try fixture.refusal(archive, options)
        #expect(error.code == .refusedEntry && error.message.contains("bomb"), "\(error.message)")
    }

    /// Also those of the last entry.
    @Test func impliedDirectoriesCount() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a'); add('d/e/f/g/h')")
        var options = ImportOptions()
        options.maxEntries = 5
        let error = try fixture.refusal(archive, options)
        #expect(error.code == .refusedEntry && error.message.contains("d/e/f/g/h"), "\(error.message)")
        options.maxEntries = 6
        _ = try fixture.importing(archive, to: "root", options)
    }

    /// 8 EiB in a few hundred bytes.
    @Test(.enabled(if: isInstalled("bsdtar"))) func sparseBomb() throws {
        let fixture = try ImportFixture()
        try fixture.shell("truncate -s 100G bomb; bsdtar --format=pax -cf a.tar bomb; rm bomb")
        var options = ImportOptions()
        options.maxSize = 1 << 30
        #expect(try fixture.refusal(fixture.host.file("a.tar"), options).message.contains("refused bomb"))
        // Without a limit it costs neither space nor time.
        #expect(try fixture.importing(fixture.host.file("a.tar")).contentBytes == 0)
        #expect(try fixture.manifest()["bomb"]?.hash == nil)
    }

    /// A dictionary of 4 GiB in a file of a few hundred bytes. xz itself makes none above 1.5 GiB, so a block's header is
    /// changed: in the first of two streams, or in the second, where nobody sees it who looks at the beginning only.
    @Test(arguments: [0, 1]) func xzDictionary(stream: Int) throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a', data=b'x' * 20000)")
        try fixture.shell(
            """
            python3 - "$1" "$2" <<'END'
            import lzma, sys, zlib
            content = open(sys.argv[1], "rb").read()
            streams = [bytearray(lzma.compress(part, preset=0)) for part in (content[:8192], content[8192:])]
            hostile = streams[int(sys.argv[2])]
            assert hostile[12:16] == b"\\x02\\x00\\x21\\x01", hostile[:24]
            hostile[16] = 40
            hostile[20:24] = zlib.crc32(hostile[12:20]).to_bytes(4, "little")
            open("hostile.tar.xz", "wb").write(b"".join(streams))
            END
            """,
            archive,
            String(stream)
        )
        let error = try fixture.refusal(fixture.host.file("hostile.tar.xz"))
        #expect(error.code == .badArchive)
        #expect(error.message.hasSuffix("needs 4096 MiB of memory to be decompressed; the limit is 513 MiB"))
        #expect(error.hint?.contains("xz -dc \(fixture.host.file("hostile.tar.xz")) | p9serve import - DIR") == true)
    }

    /// As `zstd --long=31` makes it: libzstd's own limit holds, and is told as what it is.
    @Test func zstdWindow() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a', data=b'x' * 20000)")
        try fixture.shell("zstd -q --ultra -22 --long=31 <\"$1\" >hostile.tar.zst", archive)
        let error = try fixture.refusal(fixture.host.file("hostile.tar.zst"))
        #expect(error.code == .badArchive)
        #expect(error.message.contains("needs more than 128 MiB of memory"), "\(error)")
        #expect(error.hint?.contains("zstd --long=31 -dc \(fixture.host.file("hostile.tar.zst"))") == true)
    }

    @Test func deepestAllowedTreeWorks() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('/'.join(['d'] * 511 + ['f'])); add('x')")
        #expect(try fixture.importing(archive).directories == 512)
    }

    @Test(.enabled(if: System.effectiveUser != 0)) func ordinaryUserCantWriteOutside() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a', uid=0, mode=0o4755)")
        try fixture.importing(archive)
        #expect(try fixture.status("a").mode == 0o104755)
        #expect(try fixture.status("a").host.mode == 0o100755)
    }

    /// Of global headers only what counts is kept: all of them would be gigabytes, and each entry would look through them.
    @Test(.disabled(if: isSanitized)) func globalHeadersAreNotCollected() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            """
            head = tarfile.TarInfo.create_pax_global_header
            for number in range(150):
                t.fileobj.write(head({'comment': 'c' * 1000000, 'uid': str(number)}))
                add(str(number))
            """
        )
        let (program, root) = (try ExportFixture.program, fixture.host.file("root"))
        let result = try run("prlimit", "--data=150000000", program, "import", "-q", "--no-sync", archive, root)
        #expect(result.status == 0, "\(result.output)")
        #expect(try fixture.status("149").uid == 149)
    }

    @Test func absoluteHardLinkTellsTheOption() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a'); add('b', type=H, linkname='/a')")
        let error = try fixture.refusal(archive)
        #expect(error.message == "refused b: the target of the hard link, /a: its name begins with a \"/\"")
        #expect(error.hint?.contains("--strip-absolute") == true)
        var options = ImportOptions()
        options.stripsAbsoluteNames = true
        #expect(try fixture.importing(archive, options).hardLinks == 1)
    }
}
