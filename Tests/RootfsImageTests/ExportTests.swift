import Archives
import FakeRoot
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

@Suite struct ExportTests {
    @Test(.enabled(if: isInstalled("bsdtar"))) func roundTripOfEveryKindOfEntry() throws {
        let fixture = try ExportFixture(ExportFixture.everything)
        let summary = try fixture.exporting("b.tar")
        let listing = try fixture.listing(fixture.host.file("b.tar"))
        #expect(try listing == fixture.listing(fixture.original))
        #expect(listing.count == 24)  // and the line "#mtree"
        let attributes = try fixture.attributes(fixture.host.file("b.tar"))
        #expect(attributes == (try fixture.attributes(fixture.original)))
        #expect(attributes.contains("security.capability") && attributes.contains("on.directory"))
        #expect(summary.losses.isEmpty)
        #expect(summary.entries == 23)
        #expect(try summary.targetBytes == fixture.host.status("b.tar").size)
        // The first name in order has the content, in spite of the archive's order; and GNU tar understands all of it.
        let list = try fixture.shell("tar -tvf b.tar 2>&1 | grep -v hdrcharset")
        #expect(list.contains("./bin/sudo link to ./bin/su\n"))
        #expect(!list.contains("gnoring"))
    }

    @Test(arguments: ["tar", "ext4"]) func timesBefore1970(_ suffix: String) throws {
        let times = ["-1.5", "-2", "-86400.123456789"]
        let fixture = try ExportFixture(
            "add('./', D, mtime=1)\n" + times.enumerated().map { "add('\($0)', pax={'mtime': '\($1)'})\n" }.joined()
        )
        try fixture.exporting("b.\(suffix)")
        if suffix == "tar" {
            let list = "import tarfile; print(*[m.pax_headers.get('mtime') for m in tarfile.open('b.tar')][1:])"
            #expect(try fixture.shell("python3 -c \"\(list)\"") == times.joined(separator: " ") + "\n")
        }
        try fixture.imported.importing(fixture.host.file("b.\(suffix)"), to: "again")
        for name in ["0", "1", "2"] {
            let time = try fixture.imported.status(name).host.modificationTime
            #expect(time.seconds < 0)
            #expect(try fixture.imported.status(name, in: "again").host.modificationTime == time, "\(name)")
        }
    }

    @Test(arguments: ["tar", "cpio"]) func namesAreBytes(_ suffix: String) throws {
        let fixture = try ExportFixture(ExportFixture.normalizable)
        try fixture.exporting("b.\(suffix)")
        try fixture.exporting("b.oci")
        let extract = suffix == "tar" ? "tar -xf ../b.tar" : "cpio -i --quiet < ../b.cpio"
        try fixture.shell("mkdir out; cd out; \(extract); diff -r . ../root; [ $(ls | wc -l) = 2 ]")
    }

    @Test(
        .enabled(if: isInstalled("bsdtar")),
        arguments: [("gz", "gzip"), ("xz", "xz"), ("zst", "zstd"), ("bz2", "bzip2")]
    )
    func compressed(_ suffix: String, _ tool: String) throws {
        let fixture = try ExportFixture("for i in range(100): add(f'{i}', data=b'%d' % i * 9999)")
        try fixture.exporting("b.tar")
        try fixture.exporting("b.tar.\(suffix)")
        // The tool itself if it is there: it checks more than libarchive.
        let command = isInstalled(tool) ? "\(tool) -dc" : "bsdcat"
        try fixture.shell("\(command) b.tar.\(suffix) | cmp - b.tar")
        try fixture.exporting("best") {
            $0.kind = .tar
            $0.compression = Compression(rawValue: tool)
            $0.level = 9
        }
        try fixture.shell("\(command) < best | cmp - b.tar")
        #expect(try fixture.host.status("best").size < fixture.host.status("b.tar").size)
    }

    /// Nothing of the host, its clock or the user's settings is in the result.
    @Test(arguments: [
        "tar", "tar.gz", "tar.xz", "tar.zst", "tar.bz2", "cpio", "cpio.gz", "squashfs", "oci", "oci.tar",
    ])
    func sameTreeSameBytes(_ suffix: String) throws {
        try #require(!suffix.hasPrefix("squashfs") || isInstalled("tar2sqfs"), "apt-get install squashfs-tools-ng")
        let fixture = try ExportFixture(ExportFixture.everything)
        // Another copy, made later, in which inodes come in another order.
        try fixture.host.write("root2", "")
        fixture.host.remove("root2")
        try fixture.imported.importing(fixture.original, to: "other")
        try fixture.imported.importing(fixture.original, to: "root2")
        fixture.host.remove("other")
        try fixture.exporting("one.\(suffix)")
        let program = try ExportFixture.program
        try fixture.shell(
            """
            umask 077
            TZ=Asia/Tokyo LC_ALL=C.UTF-8 HOME=/nowhere \(program) export -q root2 two.\(suffix) --platform linux/arm64
            diff -r one.\(suffix) two.\(suffix)
            [ "$(stat -c %a two.\(suffix))" = \(suffix == "oci" ? "700" : "600") ]
            """
        )
    }

    @Test func sourceDateEpochIsTheLatestTime() throws {
        let fixture = try ExportFixture("add('./', D, mtime=1000); add('old', mtime=2000.5); add('new', mtime=4000)")
        try fixture.exporting("b.tar") { $0.sourceDateEpoch = 3000 }
        let times = try fixture.shell("tar --full-time --utc -tvf b.tar | awk '{print $5, $6}'")
        #expect(times == "00:16:40 ./\n00:50:00 ./new\n00:33:20.5 ./old\n")
        let result = try run(
            "env",
            "SOURCE_DATE_EPOCH=x",
            ExportFixture.program,
            "export",
            fixture.host.file("root"),
            fixture.host.file("c.tar")
        )
        #expect(result.status == 64 && result.output.contains("SOURCE_DATE_EPOCH is 'x'"), "\(result.output)")
    }

    @Test(.enabled(if: isInstalled("bsdtar"))) func sparseFilesStaySparse() throws {
        let fixture = try ExportFixture()
        try fixture.shell(
            """
            cd root; truncate -s 9G s; printf middle | dd of=s bs=1 seek=4294967296 conv=notrunc status=none
            printf end | dd of=s bs=1 seek=9663676413 conv=notrunc status=none; truncate -s 1M hole
            printf begin > b; truncate -s 100000 b; head -c 1000000 /dev/urandom > full; touch empty
            """
        )
        try fixture.exporting("b.tar")
        #expect(try fixture.host.status("b.tar").size < 2 << 20)
        try fixture.shell(
            """
            tar -tvf b.tar | grep -E ' 9663676416 .* ./s$'
            for tool in 'tar -Sx' 'bsdtar -x'; do
                mkdir out; $tool -f b.tar -C out
                [ "$(stat -c %s out/s)" = 9663676416 ]; [ "$(stat -c %b out/s)" -lt 1000 ]
                [ "$(dd if=out/s bs=1 skip=4294967296 count=6 status=none)" = middle ]
                [ "$(tail -c 3 out/s)" = end ]
                for f in hole b full empty; do cmp root/$f out/$f; done
                rm -r out
            done
            python3 -c 'import tarfile; t = tarfile.open("b.tar"); m = t.getmember("./b"); f = t.extractfile(m)
            assert m.size == 100000 and f.read() == b"begin" + bytes(99995)'
            """
        )
        // The host's holes must not show: here some are zeros that take up room.
        try fixture.shell("cp -a root copy; dd if=/dev/zero of=copy/b bs=4096 seek=2 count=1 conv=notrunc status=none")
        try fixture.shell("touch -r root/b copy/b; touch -r root copy")
        try fixture.exporting("c.tar", from: "copy")
        try fixture.shell("cmp b.tar c.tar")
    }

    /// A tree may be deeper than a process may have files open.
    @Test(.enabled(if: isInstalled("bsdtar"))) func deepTree() throws {
        let fixture = try ExportFixture()
        try fixture.shell(
            """
            cd root; for i in $(seq 511); do mkdir d; cd d; touch f; done
            """
        )
        let program = try ExportFixture.program
        try fixture.shell("ulimit -n 100; \(program) export -q root b.tar; [ \"$(bsdtar -tf b.tar | wc -l)\" = 1023 ]")
        // Our own removal of temporary directories goes by paths.
        try fixture.shell("rm -r root")
    }

    @Test func hardLinksOutsideOfTheTreeAreNoHardLinks() throws {
        let fixture = try ExportFixture("add('a', data=b'a'); add('b', data=b'b'); add('z', H, linkname='b')")
        try fixture.shell("ln root/a outside; mkdir root/skip; ln root/b root/skip/b")
        try fixture.exporting("b.tar") { $0.exclusions = ["skip"] }
        let list = try fixture.shell("tar -tvf b.tar | sed 's/.*:[0-9][0-9] //'")
        #expect(list == "./\n./a\n./b\n./z link to ./b\n")
        try fixture.exporting("b.cpio") { $0.exclusions = ["skip"] }
        #expect(try fixture.shell("cpio -itv < b.cpio 2>/dev/null | awk '{print $2, $NF}'") == "2 .\n1 a\n2 b\n2 z\n")
    }

    @Test func exclusions() throws {
        let fixture = try ExportFixture(
            "add('a', D); add('a/x.o'); add('a/keep'); add('var', D); add('var/cache', D); add('var/cache/1'); add('x.o')"
        )
        try fixture.exporting("b.tar") { $0.exclusions = ["*.o", "/var/cache/*"] }
        #expect(try fixture.shell("tar -tf b.tar") == "./\n./a/\n./a/keep\n./var/\n./var/cache/\n")
    }

    @Test func whatIsInTheMakingIsLeftOut() throws {
        let fixture = try ExportFixture("add('a')")
        try fixture.host.write("root/.usb9pfs-new.1.2", "half")
        try fixture.exporting("b.tar")
        #expect(try fixture.shell("tar -tf b.tar") == "./\n./a\n")
    }

    @Test func socketsAreCountedOrRefused() throws {
        let fixture = try ExportFixture("add('run', D)")
        try fixture.withTree { tree in
            let run = try tree.lookup(FileName("run"), in: tree.root.raw)
            let owner = Owner(uid: 0, gid: 0)
            try tree.createSpecial(FileName("s"), in: run.raw, owner: owner, permissions: 0o666, kind: .socket)
            let socket = try tree.lookup(FileName("s"), in: run.raw)
            try tree.link(socket.raw, as: FileName("t"), in: run.raw)
            extendLifetime(socket)
            extendLifetime(run)
        }
        let summary = try fixture.exporting("b.tar")
        #expect(summary.losses.sockets == 2 && summary.losses.example == "run/s")
        #expect(try fixture.shell("tar -tf b.tar") == "./\n./run/\n")
        #expect(try fixture.refusal("c.tar") { $0.isStrict = true }.code == .refusedEntry)
        // cpio has a type for them.
        #expect(try fixture.exporting("b.cpio") { $0.isStrict = true }.losses.isEmpty)
        #expect(try fixture.shell("cpio -itv < b.cpio 2>/dev/null").contains("srw-rw-rw-   2 root     root"))
    }

    @Test func accessControlLists() throws {
        let fixture = try ExportFixture("add('d', D, mode=0o775); add('f', mode=0o640)")
        // user::rw- user:1000:r-- group::r-- mask::r-- other::---, little-endian.
        let list: [UInt8] =
            [2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0xe8, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255]
            + [16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255]
        try fixture.withTree { tree in
            for (name, attribute) in [("f", "system.posix_acl_access"), ("d", "system.posix_acl_default")] {
                let file = try tree.lookup(FileName(name), in: tree.root.raw)
                let name = Array(attribute.utf8)
                try tree.setAttribute(name.span.bytes, of: file.raw, to: list.span.bytes, flags: 0)
                extendLifetime(file)
            }
        }
        #expect(try fixture.exporting("b.tar").losses.isEmpty)
        let text = "user::rw-,user:1000:r--,group::r--,mask::r--,other::---"
        #expect(
            try fixture.attributes(fixture.host.file("b.tar"))
                == "'./d' [('SCHILY.acl.default', '\(text)')]\n'./f' [('SCHILY.acl.access', '\(text)')]\n"
        )
        #expect(try fixture.exporting("b.cpio").losses.accessControlLists == 2)
        if System.effectiveUser == 0, isInstalled("getfacl") {
            try fixture.shell("mkdir out; tar --acls -xf b.tar -C out; getfacl -n out/f | grep -x user:1000:r--")
            try fixture.shell("getfacl -n out/d | grep -x default:user:1000:r--")
        }
    }

    /// The kernel's own view of what GNU tar and bsdtar extract.
    @Test(.enabled(if: System.effectiveUser == 0 && isInstalled("getcap") && isInstalled("bsdtar")))
    func capabilitiesAfterExtractionByRoot() throws {
        let fixture = try ExportFixture(
            """
            cap = bytes.fromhex('0100000200200000000000000000000000000000').decode('latin-1')
            add('bin', D); add('bin/ping', mode=0o755, pax={'SCHILY.xattr.security.capability': cap})
            add('dev', D); add('dev/sda1', B, devmajor=259, devminor=65537, mode=0o660)
            """
        )
        try fixture.exporting("b.tar")
        for tool in ["tar --xattrs --xattrs-include='*' -xpf", "bsdtar -xpf"] {
            let seen = try fixture.shell(
                "rm -rf out; mkdir out; \(tool) b.tar -C out 2>/dev/null; getcap out/bin/ping; stat -c '%t,%T %a' out/dev/sda1"
            )
            #expect(seen == "out/bin/ping cap_net_raw=ep\n103,10001 660\n", "\(tool)")
            try fixture.shell("rm -r out")
        }
    }

    /// As the server would show them, and without a change in the tree.
    @Test func labelsThatAnEditHasLost() throws {
        let fixture = try ExportFixture(
            """
            cap = bytes.fromhex('0100000200200000000000000000000000000000').decode('latin-1')
            add('su', data=b'su', mode=0o4755); add('game', data=b'1', mode=0o2755, uid=5, gid=60)
            add('ping', data=b'p', mode=0o755, pax={'SCHILY.xattr.security.capability': cap})
            add('etc', D); add('etc/shadow', data=b'x', mode=0o640, gid=42); add('etc/shadow-', H, linkname='etc/shadow')
            add('null', C, devmajor=1, devminor=3, mode=0o666); add('link', S, linkname='su', uid=3, gid=4, mode=0o777)
            """
        )
        try fixture.shell(
            """
            cd root; cp su x; mv x su; sed -i s/1/2/ game; cp ping x; mv x ping; rm null; touch null; ln -sfn su link
            sed -i s/x/y/ etc/shadow; ln -f etc/shadow etc/shadow-
            """
        )
        let before = try fixture.shell("getfattr -d -m - -R root; stat -c '%n %Z %a' root/* root/etc/*")
        let summary = try fixture.exporting("b.tar")
        #expect(try fixture.shell("getfattr -d -m - -R root; stat -c '%n %Z %a' root/* root/etc/*") == before)
        let list = try fixture.shell(
            "tar --numeric-owner -tvf b.tar | awk '{print $1, $2, $6, $7, $8, $9}' | sed 's/ *$//'"
        )
        #expect(
            list == """
                drwxr-xr-x 0/0 ./
                drwxr-xr-x 0/0 ./etc/
                -rw-r----- 0/42 ./etc/shadow
                hrw-r----- 0/42 ./etc/shadow- link to ./etc/shadow
                -rwxr-xr-x 5/60 ./game
                lrwxrwxrwx 3/4 ./link -> su
                crw-rw-rw- 0/0 ./null
                -rwxr-xr-x 0/0 ./ping
                -rwsr-xr-x 0/0 ./su

                """
        )
        let attributes = try fixture.attributes(fixture.host.file("b.tar"))
        #expect(attributes.contains("./ping' [('SCHILY.xattr.security.capability"))
        #expect(summary.lostPrivileges == ["game"] && summary.restoredLabels == 6, "\(summary)")
    }

    @Test func ownersOfSymlinks() throws {
        let fixture = try ExportFixture("add('l', S, linkname='x', uid=5, gid=6, mode=0o777)")
        try fixture.exporting("b.tar")
        #expect(try fixture.shell("tar --numeric-owner -tvf b.tar").contains("lrwxrwxrwx 5/6 "))
    }
}
