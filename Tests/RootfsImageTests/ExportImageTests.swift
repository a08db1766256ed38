import Archives
import FakeRoot
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// Formats other than tar, as their own tools read them.
@Suite struct ExportImageTests {
    @Test(.enabled(if: isInstalled("cpio"))) func cpioAsGNUCpioReadsIt() throws {
        let fixture = try ExportFixture(ExportFixture.everything)
        let summary = try fixture.exporting("b.cpio")
        #expect(summary.losses.attributes == 5 && summary.losses.times == 0)
        let list = try fixture.shell("TZ=UTC cpio -itvn < b.cpio 2>/dev/null")
        #expect(list.contains("-rwsr-xr-x   2 0        0           10000 Jan  1  1970 bin/su\n"))
        #expect(list.contains("-rwsr-xr-x   2 0        0               0 Jan  1  1970 bin/sudo\n"))
        #expect(list.contains("crw-rw-rw-   1 0        0          1,   3 Jan  1  1970 dev/null\n"))
        #expect(list.contains("prw-------   2 0        0               0 Jan  1  1970 dev/pipe\n"))
        #expect(list.contains("brw-rw----   1 0        6        259, 65537 Jan  1  1970 dev/sda1\n"))
        #expect(list.hasPrefix("drwxr-x---   2 0        0               0 Jan  1  1970 .\n"))
        try fixture.shell(
            """
            mkdir out; cd out; cpio -i --quiet --no-preserve-owner bin bin/* ids < ../b.cpio
            cmp bin/su ../root/bin/su; [ bin/su -ef bin/sudo ]; [ "$(cat bin/ping)" = ping ]
            """
        )
        try fixture.exporting("b.cpio.zst")
        try fixture.shell("bsdcat b.cpio.zst | cmp - b.cpio")
    }

    @Test(.enabled(if: isInstalled("bsdtar"))) func cpioAsLibarchiveReadsIt() throws {
        let fixture = try ExportFixture(ExportFixture.everything)
        try fixture.exporting("b.cpio")
        // Fractions of seconds are lost, links have their own fields, and the root another name.
        func plain(_ archive: String) throws -> [String] {
            try fixture.listing(archive).map { line in
                let words = line.split(separator: " ").enumerated().map { index, word in
                    if index == 0, word == "/." { return "." }
                    return word.hasPrefix("time=") ? String(word.prefix { $0 != "." }) : String(word)
                }
                return words.filter { !$0.hasPrefix("nlink=") && !$0.hasPrefix("resdevice=") }.joined(separator: " ")
            }
            .filter { line in !["sudo ", "/hl ", "pipe2 "].contains { line.contains($0) } }
            .sorted()
        }
        let listing = try plain(fixture.host.file("b.cpio"))
        #expect(try listing == plain(fixture.original))
        #expect(listing.count == 21)
    }

    @Test(.enabled(if: isInstalled("tar2sqfs") && isInstalled("bsdtar"))) func squashfsThereAndBack() throws {
        let fixture = try ExportFixture(ExportFixture.everything)
        let summary = try fixture.exporting("b.squashfs")
        #expect(summary.losses.isEmpty)
        try fixture.shell("sqfs2tar -r . b.squashfs > c.tar 2>/dev/null")
        func withoutFractions(_ lines: [String]) -> [String] {
            lines.map { line in
                line.split(separator: " ").map { $0.hasPrefix("time=") ? String($0.prefix { $0 != "." }) : String($0) }
                    .joined(separator: " ")
            }
            .sorted()
        }
        #expect(
            try withoutFractions(fixture.listing(fixture.host.file("c.tar")))
                == withoutFractions(fixture.listing(fixture.original))
        )
        #expect(try fixture.attributes(fixture.host.file("c.tar")) == fixture.attributes(fixture.original))
        if isInstalled("unsquashfs") {
            let list = try fixture.shell("TZ=UTC unsquashfs -lls b.squashfs")
            #expect(list.contains("-rwsr-xr-x root/root             10000 1970-01-01 00:50 squashfs-root/bin/sudo\n"))
            #expect(try fixture.shell("unsquashfs -s b.squashfs").contains("Creation or last append time Thu Jan  1"))
        }
        for (method, level) in [(Compression.gzip, 9), (.xz, 1)] {
            try fixture.exporting("c.squashfs") {
                $0.compression = method
                $0.level = level
                $0.replacesTarget = true
            }
        }
    }

    /// What the program says is what the user gets to read.
    @Test(.enabled(if: isInstalled("tar2sqfs"))) func squashfsFailureIsExplained() throws {
        let fixture = try ExportFixture("import os; add('a', data=os.urandom(3000000))")
        let script = "cd \"$1\"; ulimit -f 1000; \(try ExportFixture.program) export root b.squashfs"
        let result = try run("bash", "-c", script, "bash", fixture.host.path)
        #expect(result.status == 1 && result.output.contains("tar2sqfs failed: "), "\(result.output)")
    }

    @Test(.enabled(if: isInstalled("skopeo") && isInstalled("bsdtar")), arguments: [Compression.gzip, .zstd, .none])
    func ociLayoutAsSkopeoReadsIt(_ compression: Compression) throws {
        let fixture = try ExportFixture(ExportFixture.everything)
        try fixture.exporting("b.oci") {
            $0.compression = compression
            $0.platform = "linux/arm/v7"
            $0.sourceDateEpoch = 1_700_000_000
        }
        try fixture.exporting("b.oci.tar") { $0.compression = compression }
        try fixture.shell("cd b.oci/blobs/sha256; sha256sum * | awk '$1 != $2 { exit 1 }'; [ $(ls | wc -l) = 3 ]")
        let inspected = try fixture.shell("skopeo inspect oci:b.oci:latest; skopeo inspect --config oci:b.oci")
        #expect(inspected.contains(#""Created": "2023-11-14T22:13:20Z""#))
        #expect(inspected.contains(#""variant": "v7""#) && inspected.contains(#""architecture": "arm""#))
        // skopeo verifies all digests and sizes, the uncompressed one too where it has to decompress.
        try fixture.shell(
            """
            skopeo copy --quiet --insecure-policy --override-arch arm64 oci-archive:b.oci.tar oci:copy:x
            bsdcat "$(ls -S copy/blobs/sha256/* | head -n 1)" > layer.tar
            """
        )
        if compression != .zstd {  // which Docker's own archives can't have
            let copy = "skopeo copy --quiet --insecure-policy --override-arch arm64 oci-archive:b.oci.tar"
            try fixture.shell("\(copy) docker-archive:d.tar:a:b; tar -xOf d.tar --wildcards '*.tar' | cmp - layer.tar")
        }
        #expect(try fixture.listing(fixture.host.file("layer.tar")) == fixture.listing(fixture.original))
        #expect(try fixture.attributes(fixture.host.file("layer.tar")) == fixture.attributes(fixture.original))
    }

    @Test(.enabled(if: isInstalled("umoci"))) func ociLayoutAsUmociUnpacksIt() throws {
        let fixture = try ExportFixture("add('b', D); add('b/su', data=b'x'); add('s', H, linkname='b/su')")
        try fixture.exporting("b.oci")
        try fixture.shell("umoci unpack --rootless --image b.oci:latest out >/dev/null 2>&1; cmp out/rootfs/s root/s")
    }

    @Test func platformOfAProgram() throws {
        let fixture = try ExportFixture("add('bin', D); add('bin/dash'); add('bin/sh', S, linkname='/bin/dash')")
        // An ELF header is all that is looked at: 64 bits, little-endian, a program for machine 183.
        var header: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 57)
        header[18] = 183
        try fixture.host.write("root/bin/dash", header)
        try fixture.exporting("b.oci") { $0.platform = nil }
        #expect(try fixture.shell("cat b.oci/blobs/sha256/* | grep -ao '\"architecture\":\"arm64\"' | head -n 1") != "")
        // Never a program of the host, wherever a link seems to lead.
        fixture.host.remove("root/bin/dash")
        #expect(try fixture.refusal("c.oci") { $0.platform = nil }.hint?.contains("--platform") == true)
    }

    @Test func aWhiteoutsNameIsRefused() throws {
        let fixture = try ExportFixture("add('d', D); add('d/.wh.x')")
        let failure = try fixture.refusal("b.oci")
        #expect(failure.code == .refusedEntry && failure.message.contains("d/.wh.x"))
        try fixture.exporting("b.tar")
    }
}
