import FakeRoot
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// Which image of a layout is imported, and what is said where none can be.
@Suite struct ImageChoiceTests {
    private func imported(
        _ fixture: ImportFixture,
        _ layout: String,
        _ platform: String? = nil,
        _ image: String? = nil
    ) throws -> String {
        var options = ImportOptions()
        (options.platform, options.image) = (platform, image)
        try fixture.shell("rm -rf root .root*")
        do throws(ImageError) {
            try fixture.importing(layout, to: "root", options)
        } catch {
            return error.message + "\n" + (error.hint ?? "")
        }
        return String(decoding: try fixture.host.read("root/is"), as: UTF8.self)
    }

    private static let one = """
        def one(text, arch='amd64', variant=None, **more):
            return image([layer([('is', F, text.encode())])], arch, variant, **more)

        """

    /// The first entries alone tell whether it may be an image: it became a tree of blobs without a word.
    @Test func listBehindTheLayersIsNoticed() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('layer.tar', data=b'x' * 100000); add('manifest.json', data=b'[]')")
        #expect(try fixture.importing(archive, to: "root").notices.contains { $0.contains("--from docker") })
        let other = try fixture.archive("add('etc/passwd', data=b'x'); add('manifest.json', data=b'[]')")
        #expect(try fixture.importing(other, to: "other").notices.isEmpty)
    }

    /// As containerd compares them.
    @Test(arguments: [
        ("linux/arm/v7", "v7"), ("linux/arm/v6", "v6"), ("linux/arm", "v7"), ("linux/armhf", "v7"),
        ("linux/arm/7", "v7"),
        ("linux/arm64", "arm64"), ("linux/arm64/v8", "arm64"), ("linux/aarch64", "arm64"), ("LINUX/ARM64", "arm64"),
        ("linux/amd64", "amd64"), ("linux/x86_64", "amd64"), ("linux/amd64/v1", "amd64"), ("linux/amd64/v2", "amd64v2"),
        ("linux/arm/v5", "--platform linux/arm/v6\n    --platform linux/arm/v7"),
        ("linux/386", "there is no image for"),
    ])
    func platforms(_ wanted: String, _ expected: String) throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout(
            Self.one + """
                layout([index([one('amd64v2', 'amd64', 'v2'), one('v6', 'arm', 'v6'), one('v7', 'arm', 'v7'),
                    one('arm64', 'arm64', 'v8'), one('amd64')])])
                """
        )
        let found = try imported(fixture, layout, wanted)
        #expect(found == expected || found.contains(expected), "\(found)")
    }

    /// None could be chosen by its name if "arm" would fit all three.
    @Test func platformWithoutVariantAmongOthers() throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout(
            Self.one + "layout([index([one('v6', 'arm', 'v6'), one('plain', 'arm'), one('v7', 'arm', 'v7')])])"
        )
        #expect(try imported(fixture, layout, "linux/arm") == "plain")
        #expect(try imported(fixture, layout, "linux/arm/v7") == "v7")
        let two = try fixture.layout(Self.one + "layout([index([one('v5', 'arm', 'v5'), one('v6', 'arm', 'v6')])])")
        let error = try imported(fixture, two, "linux/arm")
        #expect(error.contains("--platform linux/arm/v5\n    --platform linux/arm/v6"), "\(error)")
        let only = try fixture.layout(Self.one + "layout([index([one('v6', 'arm', 'v6'), one('amd64')])])")
        #expect(try imported(fixture, only, "linux/arm") == "v6")
    }

    /// Docker saves the index of a multi-platform image with the platforms that it has pulled (kind#3795).
    @Test(arguments: ["a", "a['config']", "a['layers'][0]"])
    func onlyOnePlatformIsThere(_ missing: String) throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout(
            Self.one + """
                def attestation(d): return dict(one('attestation', 'x'), platform=dict(os='unknown', architecture='unknown'))
                a = one('arm64', 'arm64')
                layout([index([one('amd64'), attestation(1), a, one('riscv64', 'riscv64'), attestation(2)])])
                m = json.load(open('lay/blobs/sha256/' + a['digest'][7:]))
                a.update(m)
                remove(\(missing))
                """
        )
        let error = try imported(fixture, layout)
        #expect(error.contains("There is:\n    --platform linux/amd64\n    --platform linux/riscv64"), "\(error)")
        #expect(!error.contains("arm64") && !error.contains("unknown"))
        let named = try imported(fixture, layout, "linux/arm64")
        #expect(named.contains("names an image for linux/arm64, but not all of its files are in it"), "\(named)")
        #expect(named.contains("--platform linux/riscv64") && !named.contains("--platform linux/arm64"))
        #expect(try imported(fixture, layout, "linux/riscv64") == "riscv64")
        let single = try fixture.layout(
            Self.one + "a = one('arm64', 'arm64'); layout([index([a, one('amd64')])]); remove(a)"
        )
        #expect(try imported(fixture, single) == "amd64")
        try fixture.shell("rm -rf root .root*")
        let notices = try fixture.importing(single).notices
        #expect(notices.first?.contains("names images whose files are not in it: linux/arm64") == true, "\(notices)")
    }

    @Test func noPlatformIsThere() throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout(
            Self.one + "a, b = one('1', 'arm64'), one('2'); layout([index([a, b])]); remove(a); remove(b)"
        )
        #expect(try imported(fixture, layout).contains("there is no blobs/sha256/"))
        let index = try fixture.layout("i = index([image([layer([('a', F, b'')])])]); layout([i]); remove(i)")
        #expect(try imported(fixture, index).contains("there is no blobs/sha256/"))
    }

    /// A damaged manifest does not matter to a user who asks for another platform.
    @Test func anotherPlatformIsDamaged() throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout(
            Self.one + "a = one('arm64', 'arm64'); layout([index([a, one('amd64')])])\n"
                + "open('lay/blobs/sha256/' + a['digest'][7:], 'r+b').write(b' ')"
        )
        #expect(try imported(fixture, layout, "linux/amd64") == "amd64")
        #expect(try imported(fixture, layout, "linux/arm64").contains("has the digest"))
    }

    /// A hint is pasted into a shell.
    @Test func namesInHintsAreWordsOfAShell() throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout(Self.one + "layout([one('1', name='a b;c'), one('2', name='plain:1')])")
        let error = try imported(fixture, layout)
        #expect(error.contains("\n    --image 'a b;c'\n    --image plain:1"), "\(error)")
        #expect(try imported(fixture, layout, nil, "a b;c") == "1")
    }

    /// Two images that no platform and no name tells apart.
    @Test func sameTwice() throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout(Self.one + "layout([index([one('1'), one('2')])])")
        #expect(try imported(fixture, layout) == "1")
        #expect(try imported(fixture, layout, "linux/amd64") == "1")
        let apart = try fixture.layout(Self.one + "layout([one('1', name='x'), one('2', name='x')])")
        let error = try imported(fixture, apart)
        let choices = error.split(separator: "\n").filter { $0.contains("--image sha256:") }
        try #require(choices.count == 2, "\(error)")
        let digest = String(choices[1].split(separator: " ")[1])
        #expect(try imported(fixture, apart, nil, digest) == "2")
    }

    @Test(arguments: [
        // Never an empty root with a good end.
        ("layout([image([], ids=[])])", "has no layers"),
        ("layout([image([], ids=[diffs[l['digest']]])])", "names 0 layers, its configuration 1"),
        ("layout([image(None, ids=[diffs[l['digest']]])])", "names 0 layers, its configuration 1"),
        ("layout([image([l], ids=[])])", "names 1 layers, its configuration 0"),
        ("layout([image([l, l], ids=[diffs[l['digest']]])])", "names 2 layers, its configuration 1"),
        ("layout([image([l], ids=['sha256:' + 64 * 'a'])])", "the content of blobs/sha256/"),
        ("layout([image([l], ids=[l['digest']])])", "can't have the digest of the compressed file"),
        ("layout([image([l], ids=['sha256:x'])])", "is not a SHA-256 digest"),
        ("layout([image([l], ids=[1])])", "one of its diff_ids is not text"),
        ("layout([image([dict(l, digest='sha512:' + 128 * 'a')], ids=['sha256:' + 64 * 'a'])])", "can't be verified"),
        // Something that is not an image.
        ("layout([image([l], type='application/vnd.cncf.helm.config.v1+json')])", "vnd.cncf.helm.config.v1+json"),
        ("layout([image([blob(b'{}', 'application/vnd.dev.cosign.simplesigning.v1+json')], ids=[])])", "simplesigning"),
        ("layout([image([blob(b'{}', 'application/vnd.in-toto+json')], ids=[])])", "vnd.in-toto+json"),
        ("layout([dict(m, platform=dict(os='unknown', architecture='unknown'))])", "an attestation"),
        ("layout([blob(b'{}', 'text/spdx')])", "text/spdx"),
        (
            "layout([blob(b'{\"schemaVersion\": 1}', 'application/vnd.docker.distribution.manifest.v1+prettyjws')])",
            "schema 1"
        ),
        ("layout([blob(b'{\"schemaVersion\": 1, \"fsLayers\": []}', '')])", "schema 1"),
        (
            "c = blob(b'{}', 'application/vnd.oci.image.config.v1+json'); layout([blob(json.dumps(dict(config=c, "
                + "layers=[l])).encode(), 'application/vnd.oci.image.manifest.v1+json')])", "has no \"rootfs\""
        ),
        // What is missing or can't be read.
        ("layout([image([l])]); remove(l)", "there is no blobs/sha256/"),
        (
            "layout([m]); remove(json.load(open('lay/blobs/sha256/' + m['digest'][7:]))['config'])",
            "there is no blobs/sha256/"
        ),
        ("layout([dict(m, size=1)])", "bytes and not 1"),
        ("layout([image([dict(l, size=1)], ids=[diffs[l['digest']]])])", "bytes and not 1"),
        ("layout([m]); os.remove('lay/index.json')", "there is no index.json in it"),
        ("layout([m]); os.remove('lay/oci-layout')", "there is no oci-layout in it"),
        ("layout([m]); os.remove('lay/oci-layout'); os.remove('lay/index.json')", "there is no index.json in it"),
        ("l['urls'] = ['https://example.org/l']; layout([image([l])]); remove(l)", "not distributed with it"),
        ("l['mediaType'] += '+encrypted'; layout([image([l])])", "is encrypted"),
        (
            "l['mediaType'] = 'application/vnd.oci.image.layer.nydus.blob.v1'; layout([image([l])])",
            "which can't be read"
        ),
    ])
    func oneClearAnswer(_ change: String, _ message: String) throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout("l = layer([('a', F, b'x' * 5000)]); m = image([l])\n\(change)\n")
        let error = try fixture.refusal(layout)
        #expect(error.code == .badArchive, "\(error.message)")
        #expect(error.message.contains(message), "\(error.message)")
        // In a tar archive it is the same.
        try fixture.shell("cd lay; tar -cf ../lay.tar *")
        #expect(try fixture.refusal(fixture.host.file("lay.tar")).message.contains(message))
    }

    /// Beside an image they are not offered.
    @Test func artifactsBesideAnImage() throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout(
            Self.one + """
                signature = image([blob(b'{}', 'application/vnd.dev.cosign.simplesigning.v1+json')], ids=[], platform=False)
                chart = image([layer([('x', F, b'')])], type='application/vnd.cncf.helm.config.v1+json', platform=False)
                layout([dict(signature, annotations={'kind': 'dev.cosignproject.cosign/sigs'}), chart, one('image'),
                    blob(b'{}', 'text/spdx')])
                """
        )
        #expect(try imported(fixture, layout) == "image")
    }

    /// Docker 25.0.0 saved manifests without layers (moby#47065); manifest.json names them.
    @Test func dockerNamesTheLayers() throws {
        let fixture = try ImportFixture()
        let layout = try fixture.layout(
            """
            l = layer([('is', F, b'docker')])
            m = image([], ids=[diffs[l['digest']]])
            c = json.load(open('lay/blobs/sha256/' + m['digest'][7:]))['config']
            layout([m])
            json.dump([dict(Config='blobs/sha256/' + c['digest'][7:], RepoTags=None,
                Layers=['blobs/sha256/' + l['digest'][7:]])], open('lay/manifest.json', 'w'))
            """
        )
        #expect(try imported(fixture, layout) == "docker")
        // And of an image whose manifest isn't there at all.
        try fixture.shell("rm \"$(grep -l '\"layers\": \\[\\]' lay/blobs/sha256/*)\"")
        #expect(try imported(fixture, layout) == "docker")
        try fixture.shell("echo '[]' >lay/manifest.json")
        #expect(try imported(fixture, layout).contains("there is no"))
    }

    /// Without a tag an image has its configuration's digest, which is what docker calls its ID.
    @Test func dockerImagesWithoutTags() throws {
        let fixture = try ImportFixture()
        try fixture.host.write(
            "save.py",
            """
            import io, json, hashlib, tarfile
            digest = lambda b: hashlib.sha256(b).hexdigest()
            t = tarfile.open('save.tar', 'w')
            def add(name, data):
                i = tarfile.TarInfo(name); i.size = len(data); t.addfile(i, io.BytesIO(data))
            images = []
            for text in (b'1', b'2'):
                out = io.BytesIO(); l = tarfile.open(fileobj=out, mode='w')
                i = tarfile.TarInfo('is'); i.size = 1; l.addfile(i, io.BytesIO(text)); l.close()
                config = json.dumps(dict(os='linux', architecture='arm64', rootfs=dict(type='layers',
                    diff_ids=['sha256:' + digest(out.getvalue())]))).encode()
                # As crane names it.
                add('sha256:' + digest(config), config); add(digest(out.getvalue()) + '.tar', out.getvalue())
                images.append(dict(Config='sha256:' + digest(config), RepoTags=None, Layers=[digest(out.getvalue()) + '.tar']))
            add('manifest.json', json.dumps(images).encode())
            t.close()
            """
        )
        try fixture.shell("python3 save.py; rm save.py")
        let save = fixture.host.file("save.tar")
        let choices = try imported(fixture, save).split(separator: "\n").filter { $0.contains("--image sha256:") }
        try #require(choices.count == 2)
        #expect(try imported(fixture, save, nil, String(choices[1].split(separator: " ")[1])) == "2")
    }

    /// They would become root filesystems of blobs.
    @Test func otherLayoutsAreNamed() throws {
        let fixture = try ImportFixture()
        try fixture.shell("mkdir dir; echo '{\"schemaVersion\": 2, \"layers\": []}' >dir/manifest.json")
        #expect(try fixture.refusal(fixture.host.file("dir")).message.contains("skopeo's dir: has it"))
        try fixture.shell("id=$(printf %064d 1); mkdir -p old/$id; echo {} >old/repositories; echo >old/$id/layer.tar")
        #expect(try fixture.refusal(fixture.host.file("old")).message.contains("there is no manifest.json"))
        try fixture.shell("tar -C old -cf old.tar .")
        #expect(try fixture.refusal(fixture.host.file("old.tar")).message.contains("there is no manifest.json"))
    }
}
