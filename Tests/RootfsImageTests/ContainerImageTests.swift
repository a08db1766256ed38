import FakeRoot
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// OCI layouts and `docker save`: made by hand, and by skopeo and umoci.
@Suite struct ContainerImageTests {
    private func make(_ fixture: ImportFixture, _ body: String) throws -> String { try fixture.layout(body) }

    @Test func layersAndWhiteouts() throws {
        let fixture = try ImportFixture()
        let layout = try make(
            fixture,
            """
            one = layer([('etc/', D, b''), ('etc/a', F, b'1'), ('etc/b', F, b'1'), ('opq/', D, b''), ('opq/old', F, b'1'),
                ('opq/sub/', D, b''), ('opq/sub/old', F, b'1'), ('dir/x/y', F, b'1'), ('file', F, b'1'), ('.rc', F, b'1'),
                ('link', S, 'etc'), ('gone/deep/f', F, b'1')])
            # What the layer brings stays, whether the whiteout comes before or after it.
            two = layer([('etc/.wh.a', F, b''), ('opq/sub/new', F, b'2'), ('opq/new', F, b'2'), ('opq/.wh..wh..opq', F, b''),
                ('dir', F, b'2'), ('file/', D, b''), ('file/in', F, b'2'), ('.wh..rc', F, b''), ('link/', D, b''),
                ('new', F, b'2'), ('.wh.new', F, b''), ('.wh.gone', F, b''), ('no/.wh.thing', F, b''),
                ('hard', H, 'etc/b')], zip=False)
            three = layer([('etc/a', F, b'3'), ('.wh.dir', F, b'')])
            layout([image([one, two, three])])
            """
        )
        let summary = try fixture.importing(layout)
        #expect(summary.kind == .oci)
        #expect(try fixture.host.names("root") == ["etc", "file", "hard", "link", "new", "opq"])
        #expect(try fixture.host.names("root/etc") == ["a", "b"])
        #expect(try fixture.host.read("root/etc/a") == Array("3".utf8))
        #expect(try fixture.host.names("root/opq") == ["new", "sub"])
        #expect(try fixture.host.names("root/opq/sub") == ["new"])
        #expect(try fixture.host.names("root/file") == ["in"])
        #expect(try fixture.status("link").kind == .directory)
        #expect(try fixture.status("hard").host.linkCount == 2)
        let expected = [
            "", "etc", "etc/a", "etc/b", "file", "file/in", "hard", "link", "new", "opq", "opq/new", "opq/sub",
            "opq/sub/new",
        ]
        #expect(try fixture.manifest().keys.sorted() == expected)
    }

    /// A merged /usr in the base image, and a next layer that doesn't know of it: refused until links were followed.
    @Test func layersGoWhereLinksOfLowerOnesLead() throws {
        let fixture = try ImportFixture()
        let layout = try make(
            fixture,
            """
            one = layer([('usr/lib/', D, b''), ('usr/lib/old', F, b'1'), ('usr/lib/gone', F, b'1'), ('lib', S, 'usr/lib'),
                ('bin', S, '/usr/bin'), ('opt/opq/', D, b''), ('opt/opq/old', F, b'1'), ('o', S, 'opt'),
                ('replaced', S, 'usr/lib')])
            two = layer([('lib/new', F, b'2'), ('lib/.wh.gone', F, b''), ('bin/sh', F, b'2'), ('o/opq/new', F, b'2'),
                ('o/opq/.wh..wh..opq', F, b''), ('usr/lib/.wh.new', F, b''), ('no/.wh.x', F, b''),
                ('hard', H, 'lib/old'), ('lib/old2', H, 'usr/lib/old'), ('replaced/', D, b''), ('replaced/in', F, b'2')])
            three = layer([('lib', S, 'lib3'), ('lib/third', F, b'3'), ('o/.wh.opq', F, b'')])
            layout([image([one, two, three])])
            """
        )
        let summary = try fixture.importing(layout)
        #expect(try fixture.host.names("root/usr/lib") == ["new", "old", "old2"])
        #expect(try fixture.host.names("root/usr/bin") == ["sh"])
        #expect(try fixture.host.names("root/opt") == [])
        #expect(try fixture.host.names("root/lib3") == ["third"])
        #expect(try fixture.host.names("root/replaced") == ["in"])
        #expect(try fixture.status("replaced").kind == .directory)
        #expect(try fixture.status("hard").host.linkCount == 3)
        #expect(summary.notices.contains("lib leads to usr/lib: 3 entries were put there"), "\(summary.notices)")
        #expect(summary.notices.contains("lib leads to lib3: 1 entry was put there"))
        #expect(try fixture.manifest()["usr/lib/new"] != nil && fixture.manifest()["usr/lib/gone"] == nil)
        #expect(try fixture.manifest().keys.allSatisfy { !$0.hasPrefix("lib/") && !$0.hasPrefix("o/") })
    }

    @Test(arguments: [
        ("('.wh.', F, b'')", "refused .wh.: it is not a whiteout of a name"),
        ("('.wh..', F, b'')", "refused .wh..: it is not a whiteout"), ("('d/.wh...', F, b'')", "refused d/.wh...:"),
        ("('.wh.a', D, b'')", "a whiteout must be a file, not a directory"),
        ("('.wh..wh..opq/x', F, b'')", "has the name of a whiteout"),
        ("('a', H, '.wh..wh.plnk/1.2')", "which is not in the archive before it"),
        ("('.wh.a/b', F, b'')", "has the name of a whiteout"), ("('l/x', F, b'')", "which leads out of the tree"),
        ("('l/.wh.x', F, b'')", "which leads out of the tree"), ("('../.wh.x', F, b'')", "has a \\\"..\\\""),
        ("('n', F, b''), ('n', S, 'x')", "an earlier entry of this name is of another kind"),
    ])
    func hostileLayers(_ entries: String, _ message: String) throws {
        let fixture = try ImportFixture()
        let layout = try make(
            fixture,
            "layout([image([layer([('l', S, '/../tmp'), ('n', F, b'')]), layer([\(entries)])])])"
        )
        let error = try fixture.refusal(layout)
        #expect(error.code == .refusedEntry)
        #expect(error.message.replacing("\\", with: "").contains(message.replacing("\\", with: "")), "\(error.message)")
    }

    @Test func choices() throws {
        let fixture = try ImportFixture()
        let layout = try make(
            fixture,
            """
            def one(text, **more): return image([layer([('is', F, text.encode())])], **more)
            many = index([one('amd64'), one('arm64', arch='arm64', variant='v8'), one('arm v6', arch='arm', variant='v6'),
                one('arm v7', arch='arm', variant='v7', platform=False),
                dict(one('attestation'), platform=dict(os='unknown', architecture='unknown'))],
                annotations={'org.opencontainers.image.ref.name': 'many'})
            named = dict(one('named'), annotations={'io.containerd.image.name': 'docker.io/library/alpine:latest',
                'org.opencontainers.image.ref.name': 'latest'})
            layout([index([many], annotations={'org.opencontainers.image.ref.name': 'many'}), named])
            """
        )
        func imported(_ image: String?, _ platform: String?) throws -> String {
            var options = ImportOptions()
            options.image = image
            options.platform = platform
            try fixture.shell("rm -rf root .root*")
            try fixture.importing(layout, to: "root", options)
            return String(decoding: try fixture.host.read("root/is"), as: UTF8.self)
        }
        #expect(try imported("many", "linux/amd64") == "amd64")
        #expect(try imported("many", "linux/arm64") == "arm64")
        #expect(try imported(nil, "linux/arm64/v8") == "arm64")
        #expect(try imported("many", "linux/arm/v7") == "arm v7")
        #expect(try imported("alpine", nil) == "named")
        #expect(try imported("alpine:latest", nil) == "named")
        try fixture.shell("rm -rf root .root*")
        func hint(_ image: String?, _ platform: String?) throws -> String {
            var options = ImportOptions()
            options.image = image
            options.platform = platform
            return try fixture.refusal(layout, options).hint ?? ""
        }
        #expect(try hint(nil, nil).contains("--image many"))
        #expect(try hint("many", nil).contains("--platform linux/arm/v7"))
        // As containerd has it, linux/arm is v7's.
        #expect(try imported("many", "linux/arm") == "arm v7")
        try fixture.shell("rm -rf root .root*")
        #expect(try hint("other", nil).contains("--image docker.io/library/alpine:latest"))
        #expect(try hint(nil, "linux/riscv64").contains("--platform linux/arm64/v8"))
    }

    @Test(arguments: [
        ("open('lay/blobs/sha256/' + l['digest'][7:], 'r+b').write(b'\\x1f\\x8b\\x08\\x01')", "digest"),
        ("open('lay/blobs/sha256/' + l['digest'][7:], 'ab').write(b'x')", "bytes and not"),
        ("os.remove('lay/blobs/sha256/' + l['digest'][7:])", "there is no blobs/sha256/"),
        ("open('lay/blobs/sha256/' + m['digest'][7:], 'r+b').write(b' ')", "has the digest"),
        ("open('lay/index.json', 'w').write('{')", "index.json is not a JSON document"),
        ("open('lay/index.json', 'w').write('[' * 100000)", "index.json is not a JSON document"),
        ("layout([dict(m, digest='sha256:../../../../etc/passwd')])", "is not a SHA-256 digest"),
        ("layout([dict(m, digest='md5:00')])", "is not a SHA-256 digest"),
        ("layout([])", "there is no image"),
        ("json.dump(dict(imageLayoutVersion='2.0'), open('lay/oci-layout', 'w'))", "another version"),
        (
            "b = blob(b'{}', 'application/vnd.oci.empty.v1+json'); layout([blob(json.dumps(dict(config=b, layers=[]))"
                + ".encode(), 'application/vnd.oci.image.manifest.v1+json')])", "there is no image in"
        ),
        ("l['mediaType'] += '+encrypted'; layout([image([l])])", "is encrypted"),
    ])
    func damaged(_ change: String, _ message: String) throws {
        let fixture = try ImportFixture()
        let layout = try make(
            fixture,
            "l = layer([('a', F, b'x' * 5000)]); m = image([l]); layout([m])\n" + change + "\n"
        )
        let error = try fixture.refusal(layout)
        #expect(error.code == .badArchive, "\(error.message)")
        #expect(error.message.contains(message) || error.message.contains("damaged"), "\(error.message)")
    }

    /// An index that leads to itself can't be made: it would need its own digest. One nested too deep can.
    @Test func nestedTooDeep() throws {
        let fixture = try ImportFixture()
        let layout = try make(
            fixture,
            "i = image([layer([('a', F, b'')])])\nfor _ in range(10): i = index([i])\nlayout([i])"
        )
        #expect(try fixture.refusal(layout).message.contains("nested too deep"))
    }

    @Test(.enabled(if: isInstalled("skopeo")), arguments: ["oci-archive", "docker-archive", "dir"])
    func throughSkopeo(_ format: String) throws {
        let fixture = try ImportFixture()
        _ = try make(
            fixture,
            """
            layout([image([layer([('etc/a', F, b'1'), ('gone', F, b'1')]), layer([('.wh.gone', F, b''), ('b', F, b'2')])],
                name='tag')])
            """
        )
        let target = format == "dir" ? "oci:copy:tag" : "\(format):image.tar:example/name:tag"
        try fixture.shell("HOME=$PWD skopeo --insecure-policy copy -q oci:lay:tag $1", target)
        let source = format == "dir" ? "copy" : "image.tar"
        let summary = try fixture.importing(fixture.host.file(source))
        #expect(summary.kind == (format == "docker-archive" ? .docker : .oci))
        #expect(try fixture.host.names("root") == ["b", "etc"])
        guard format != "dir" else { return }
        // Compressed, and from a pipe: copied to the disk first.
        try fixture.shell("gzip image.tar")
        let program = "\(Fixture.package)/.build/debug/p9serve"
        try fixture.shell("cat image.tar.gz | \"$1\" import -q - piped", program)
        #expect(try fixture.host.names("piped") == ["b", "etc"])
        #expect(try fixture.host.names().filter { $0.contains("importing") } == [])
    }

    /// As docker wrote it before version 25, with a link to a layer that it had written before.
    @Test func oldDockerSave() throws {
        let fixture = try ImportFixture()
        try fixture.host.write(
            "save.py",
            """
            import io, json, hashlib, tarfile
            def layer(name, data):
                out = io.BytesIO(); t = tarfile.open(fileobj=out, mode='w')
                i = tarfile.TarInfo(name); i.size = len(data); t.addfile(i, io.BytesIO(data)); t.close()
                return out.getvalue()
            one, two = layer('a', b'1'), layer('.wh.a', b'')
            digest = lambda b: hashlib.sha256(b).hexdigest()
            config = json.dumps(dict(os='linux', architecture='arm64', rootfs=dict(type='layers',
                diff_ids=['sha256:' + digest(l) for l in (one, two, one)]))).encode()
            t = tarfile.open('save.tar', 'w')
            def add(name, data=b'', link=None):
                i = tarfile.TarInfo(name); i.size = len(data)
                if link: i.type, i.linkname = tarfile.SYMTYPE, link
                t.addfile(i, io.BytesIO(data))
            x, y, z = digest(b'x'), digest(b'y'), digest(b'z')
            add(x + '/layer.tar', one); add(y + '/layer.tar', two); add(z + '/layer.tar', link='../' + x + '/layer.tar')
            add(digest(config) + '.json', config)
            add('manifest.json', json.dumps([dict(Config=digest(config) + '.json', RepoTags=['me/it:1'],
                Layers=[n + '/layer.tar' for n in (x, y, z)])]).encode())
            t.close()
            b = bytearray(open('save.tar', 'rb').read()); b[b.index(one) + 512] ^= 1; open('bad.tar', 'wb').write(b)
            """
        )
        try fixture.shell("python3 save.py; rm save.py")
        var options = ImportOptions()
        options.image = "me/it:1"
        options.platform = "linux/arm64"
        #expect(try fixture.importing(fixture.host.file("save.tar"), to: "root", options).kind == .docker)
        #expect(try fixture.host.read("root/a") == Array("1".utf8))
        try fixture.shell("rm -rf root .root*")
        let error = try fixture.refusal(fixture.host.file("bad.tar"))
        #expect(error.message.contains("the content of") && error.message.contains("digest"), "\(error.message)")
        // What only looks like an image is a tar archive.
        let plain = try fixture.archive("add('blobs', D); add('blobs/x', data=b'1')")
        #expect(try fixture.importing(plain, to: "plain").kind == .tar)
        #expect(try fixture.host.names("plain/blobs") == ["x"])
    }
}
