import FakeRoot
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// What the layers of a container image do to each other, and where their archives end.
@Suite struct LayerTests {
    /// All paths in the imported tree.
    private func paths(_ fixture: ImportFixture) throws -> [String] {
        try fixture.shell("cd root; find . -mindepth 1 | sed 's,^./,,' | LC_ALL=C sort >../paths")
        return String(decoding: try fixture.host.read("paths"), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Imports a layer above another, and expects that the manifest knows just what is there.
    private func apply(_ upper: String, to lower: String) throws -> (ImportFixture, [String]) {
        let fixture = try ImportFixture()
        let layout = try fixture.layout("layout([image([layer([\(lower)]), layer([\(upper)])])])")
        try fixture.importing(layout)
        let paths = try paths(fixture)
        #expect(try fixture.manifest().keys.sorted() == [""] + paths)
        return (fixture, paths)
    }

    private static let lower = """
        ('d/', D, b''), ('d/o', F, b'1'), ('d/s/', D, b''), ('d/s/o', F, b'1'), ('e/', D, b''), ('e/o', F, b'1'),
        ('f', F, b'1'), ('l', S, 'e'), ('h', F, b'1')
        """

    @Test(arguments: [
        // The case of umoci's #224: the whiteout comes behind the directory made anew.
        ("('d/', D, b''), ('d/n', F, b'2'), ('.wh.d', F, b'')", ["d", "d/n", "e", "e/o", "f", "h", "l"]),
        ("('.wh.d', F, b''), ('d/', D, b''), ('d/n', F, b'2')", ["d", "d/n", "e", "e/o", "f", "h", "l"]),
        ("('d/n', F, b'2'), ('.wh.d', F, b'')", ["d", "d/n", "e", "e/o", "f", "h", "l"]),
        ("('d/s/n', F, b'2'), ('.wh.d', F, b'')", ["d", "d/s", "d/s/n", "e", "e/o", "f", "h", "l"]),
        ("('d/s/n', F, b'2'), ('d/.wh.s', F, b'')", ["d", "d/o", "d/s", "d/s/n", "e", "e/o", "f", "h", "l"]),
        ("('d/s/n', F, b'2'), ('d/.wh..wh..opq', F, b'')", ["d", "d/s", "d/s/n", "e", "e/o", "f", "h", "l"]),
        ("('d/n', F, b'2'), ('.wh..wh..opq', F, b'')", ["d", "d/n"]),
        ("('.wh..wh..opq', F, b''), ('d/n', F, b'2')", ["d", "d/n"]),
        // What the layer makes itself stays.
        ("('f', F, b'2'), ('.wh.f', F, b'')", ["d", "d/o", "d/s", "d/s/o", "e", "e/o", "f", "h", "l"]),
        ("('d', F, b'2'), ('.wh.d', F, b'')", ["d", "e", "e/o", "f", "h", "l"]),
        ("('d', S, 'e'), ('.wh.d', F, b'')", ["d", "e", "e/o", "f", "h", "l"]),
        (
            "('l/', D, b''), ('l/n', F, b'2'), ('.wh.l', F, b'')",
            ["d", "d/o", "d/s", "d/s/o", "e", "e/o", "f", "h", "l", "l/n"]
        ),
        // A link to what is removed behind it.
        ("('k', H, 'd/o'), ('.wh.d', F, b'')", ["e", "e/o", "f", "h", "k", "l"]),
        ("('d/k', H, 'd/o'), ('.wh.d', F, b'')", ["d", "d/k", "e", "e/o", "f", "h", "l"]),
        // Whiteouts are known by their names; in aufs they were links to one file.
        ("('.wh.f', F, b''), ('.wh.h', H, '.wh.f'), ('.wh.d', S, 'x')", ["e", "e/o", "l"]),
        ("('.wh.f', F, b'content')", ["d", "d/o", "d/s", "d/s/o", "e", "e/o", "h", "l"]),
    ])
    func whiteouts(_ upper: String, _ expected: [String]) throws {
        let (fixture, paths) = try apply(upper, to: Self.lower)
        #expect(paths == expected)
        if paths.contains("f"), upper.contains("'f'") { #expect(try fixture.host.read("root/f") == Array("2".utf8)) }
    }

    /// The lower layers' directory is gone, with its owner and mode, whichever comes first.
    @Test(arguments: [false, true])
    func impliedDirectoryAboveARemovedOneIsNew(_ isLate: Bool) throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout(
            """
            out = io.BytesIO(); t = tarfile.open(fileobj=out, mode='w')
            for n in ('d', 'd/s'):
                i = tarfile.TarInfo(n); i.type, i.mode, i.uid, i.mtime = D, 0o2770, 7, 5
                i.pax_headers = {'SCHILY.xattr.user.x': 'y'}; t.addfile(i)
            t.close()
            upper = [('d/s/n', F, b'2'), ('.wh.d', F, b'')]
            if \(isLate ? "False" : "True"): upper.reverse()
            layout([image([raw_layer(out.getvalue()), layer(upper)])])
            """
        )
        try fixture.importing(layout)
        for path in ["d", "d/s"] {
            let status = try fixture.status(path)
            #expect(status.permissions == 0o755 && status.uid == 0, "\(path)")
            #expect(throws: Errno.ENODATA) { try fixture.attribute("user.x", of: path) }
            #expect(try fixture.manifest()[path]?.status.mode == 0o755)
        }
    }

    /// As docker does: left out, and what is linked to a file of the directory of links gets that file.
    @Test func aufsMetadata() throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout(
            """
            aufs = [('.wh..wh.aufs', F, b''), ('.wh..wh.orph/', D, b''), ('.wh..wh.orph/x', F, b'x'),
                ('.wh..wh.plnk/', D, b''), ('.wh..wh.plnk/8.9', F, b'linked'), ('.wh..wh.plnk/unused', F, b'unused')]
            layout([image([layer(aufs + [('a', H, '.wh..wh.plnk/8.9'), ('d/b', H, './.wh..wh.plnk/8.9'), ('old', F, b'')]),
                layer(aufs + [('.wh.__dir_opaque', F, b''), ('c', H, '.wh..wh.plnk/8.9'), ('d/.wh..wh.x', F, b''),
                    ('d/.wh..wh.y/z', F, b''), ('.wh..wh..opq', F, b''), ('d/b', F, b'2')])])])
            """
        )
        let summary = try fixture.importing(layout)
        #expect(try paths(fixture) == ["c", "d", "d/b"])
        #expect(try fixture.host.read("root/c") == Array("linked".utf8))
        #expect(try fixture.manifest().keys.sorted() == ["", "c", "d", "d/b"])
        #expect(summary.files == 4 && summary.hardLinks == 3)
        // The links of one layer are one file.
        let alone = try fixture.layout(
            "layout([image([layer([('.wh..wh.plnk/1', F, b'1'), ('a', H, '.wh..wh.plnk/1'), ('b', H, '.wh..wh.plnk/1')])])])"
        )
        try fixture.importing(alone, to: "alone")
        #expect(try fixture.host.names("alone") == ["a", "b"])
        #expect(try fixture.status("a", in: "alone").host.linkCount == 2)
        #expect(try fixture.manifest("alone").keys.sorted() == ["", "a", "b"])
    }

    /// Umoci 0.4's `insert` ends with the last file's last byte. `$` is the whole archive.
    @Test(arguments: [
        ("raw[:512 + 6]", true), ("raw[:512 + 600]", true), ("raw[:1024]", true), ("raw[:1024 + 512]", true),
        ("raw + b'garbage'", true), ("raw + bytes(100)", true),
        // The last file is not whole.
        ("raw[:512 + 5]", false), ("raw[:512]", false), ("raw[:500]", false), ("raw[:100]", false),
    ])
    func archiveEndsWithItsLastFile(_ cut: String, _ isWhole: Bool) throws {
        let fixture = try ImportFixture()
        for zip in ["True", "False"] {
            let size = cut.contains("600") ? 600 : 6
            let layout = try fixture.layout(
                """
                raw = content(layer([('f', F, b'x' * \(size))]))
                layout([image([layer([('g', F, b'1')]), raw_layer(\(cut), \(zip)), layer([('h', F, b'1')])])])
                """
            )
            try fixture.shell("rm -rf root .root*")
            guard isWhole else {
                #expect(try fixture.refusal(layout).code == .badArchive, "\(cut)")
                continue
            }
            try fixture.importing(layout)
            #expect(try paths(fixture) == ["f", "g", "h"], "\(cut)")
            #expect(try fixture.host.read("root/f").count == size)
        }
    }

    /// Nor do whiteouts and what else nobody reads hide that an archive is cut short; a plain one needs its end mark.
    @Test func archiveCutShort() throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout(
            "raw = content(layer([('.wh.f', F, b'x' * 600)]))\nlayout([image([raw_layer(raw[:1000])])])"
        )
        let error = try fixture.refusal(layout)
        #expect(error.code == .badArchive && error.message.contains(".wh.f"), "\(error.message)")
        let plain = try fixture.archive("add('f', data=b'123456')")
        try fixture.shell("head -c 518 a.tar >cut.tar")
        #expect(try fixture.refusal(fixture.host.file("cut.tar")).code == .badArchive)
        _ = plain
    }

    @Test(arguments: ["b''", "bytes(512)", "bytes(1024)", "bytes(10240)", "bytes(1024) + b'garbage'"])
    func layerWithoutEntries(_ raw: String) throws {
        let fixture = try ImportFixture()
        for zip in ["True", "False"] {
            let layout = try fixture.layout("layout([image([layer([('f', F, b'1')]), raw_layer(\(raw), \(zip))])])")
            try fixture.shell("rm -rf root .root*")
            try fixture.importing(layout)
            #expect(try paths(fixture) == ["f"])
            let wrong = try fixture.layout(
                "layout([image([raw_layer(\(raw), \(zip))], ids=['sha256:' + 64 * '0'])])"
            )
            #expect(try fixture.refusal(wrong, to: "wrong").message.contains("digest"))
        }
    }

    /// What a layer is compressed with shows in it; docker and containerd look there, too.
    @Test func compressionShowsInTheFile() throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout(
            """
            import lzma, bz2
            def other(name, pack, kind):
                raw = content(layer([(name, F, b'1')]))
                return raw_layer(raw, kind='application/vnd.oci.image.layer.v1.tar' + kind, packed=pack(raw))
            gz = lambda raw: gzip.compress(raw, mtime=0)
            # Estargz: every entry has a member of its own, and behind them is one with nothing but an index.
            layout([image([other('a', gz, ''), other('b', lambda raw: raw, '+gzip'), other('c', lzma.compress, '+zstd'),
                other('d', bz2.compress, ''), other('.no.prefetch.landmark', lambda raw: gz(raw[:700]) + gz(raw[700:]) + gz(b''), '+gzip')])])
            """
        )
        try fixture.importing(layout)
        // The landmarks of estargz are files as all others.
        #expect(try paths(fixture) == [".no.prefetch.landmark", "a", "b", "c", "d"])
    }

    @Test func whatLiesBehindALayersEndIsTold() throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout(
            "raw = content(layer([('a', F, b'1')])); layout([image([raw_layer(raw + b'garbage'), layer([('b', F, b'2')])])])"
        )
        let summary = try fixture.importing(layout)
        #expect(summary.notices.count == 1 && summary.notices[0].contains("blobs/sha256/"), "\(summary.notices)")
        #expect(summary.notices.first?.contains("7 bytes behind the archive's end mark") == true)
    }

    /// Skopeo takes the first, docker the last.
    @Test func documentThatIsInTheArchiveTwice() throws {
        let fixture = try ImportFixture()
        _ = try fixture.layout("layout([image([layer([('a', F, b'1')])])])")
        // The second one is a link to itself, which changes nothing.
        try fixture.shell("tar -C lay -cf o.tar oci-layout index.json blobs index.json")
        #expect(try fixture.importing(fixture.host.file("o.tar"), to: "linked").notices.isEmpty)
        try fixture.shell("tar -C lay -rf o.tar index.json")
        let summary = try fixture.importing(fixture.host.file("o.tar"))
        #expect(try paths(fixture) == ["a"])
        #expect(summary.notices.contains { $0.contains("has index.json more than once") }, "\(summary.notices)")
    }
}
