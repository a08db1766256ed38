import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// Initramfs images of several members, and what lies behind an archive's end.
@Suite(.enabled(if: isInstalled("cpio"))) struct InitramfsTests {
    private static let programs = [
        "gzip", "xz --check=crc32", "zstd -q", "bzip2", "lzma", "lz4 -q -l", "lz4 -q", "cat",
    ]

    /// Four archives, `a.cpio` to `d.cpio`, each with a file of its own; the last one replaces the first's.
    private func archives() throws -> ImportFixture {
        let fixture = try ImportFixture()
        try fixture.shell(
            """
            for name in a b c d; do
                mkdir -p in/etc; echo $name > in/etc/$name; [ $name != d ] || echo new > in/etc/a
                (cd in && find . | cpio -o -H newc --quiet) > $name.cpio; rm -r in
            done
            """
        )
        return fixture
    }

    private func check(_ fixture: ImportFixture, _ image: String) throws {
        _ = try fixture.importing(fixture.host.file(image))
        #expect(try fixture.host.names("root/etc") == ["a", "b", "c", "d"], "\(image)")
        #expect(try fixture.host.read("root/etc/a") == Array("new\n".utf8))
        try fixture.shell("rm -r root")
    }

    /// libarchive takes data that decompress to nothing for no archive at all.
    /// But for lz4's old format, which has no mark for its end.
    @Test(arguments: programs.filter { $0 != "cat" && !$0.hasSuffix("-l") }) func emptyMembersAreNothing(
        _ program: String
    ) throws {
        guard isInstalled(String(program.prefix { $0 != " " })) else { return }
        let fixture = try archives()
        try fixture.shell(
            """
            cat a.cpio b.cpio c.cpio | gzip > first.gz; gzip < d.cpio > last.gz; $1 < /dev/null > empty
            cat empty first.gz empty empty last.gz empty > image
            """,
            program
        )
        try check(fixture, "image")
    }

    /// As the kernel's clean_path; a link to a directory stays.
    @Test func laterMemberReplacesAnotherKind() throws {
        let fixture = try ImportFixture()
        try fixture.shell(
            """
            mkdir -p a/empty a/full a/usr/lib; ln -s busybox a/init; ln -s usr/lib a/lib; echo 1 > a/full/file; echo 1 > a/file
            mkdir -p b/file b/lib; echo new > b/init; echo new > b/empty; echo so > b/lib/so
            mkdir c; echo 1 > c/full
            for name in a b c; do (cd $name && find . | cpio -o -H newc --quiet) > $name.cpio; done
            cat a.cpio b.cpio > image; cat a.cpio c.cpio > refused
            """
        )
        _ = try fixture.importing(fixture.host.file("image"))
        #expect(try fixture.host.read("root/init") == Array("new\n".utf8))
        #expect(try fixture.host.read("root/empty") == Array("new\n".utf8))
        #expect(try fixture.host.names("root/file") == [])
        #expect(try fixture.host.read("root/usr/lib/so") == Array("so\n".utf8))
        try fixture.shell("rm -r root")
        let error = try fixture.refusal(fixture.host.file("refused"))
        #expect(error.code == .refusedEntry && error.message.contains("full"), "\(error.message)")
    }

    /// gzip and gzip, with zeros between: "there is something else after the end of the gzip data".
    @Test(arguments: programs) func membersOfEveryCompression(_ program: String) throws {
        guard isInstalled(String(program.prefix { $0 != " " })) else { return }
        let fixture = try archives()
        try fixture.shell(
            """
            zeros() { head -c $1 /dev/zero; }
            for name in a b c d; do $1 < $name.cpio > $name.x; zeros $((-$(stat -c %s $name.x) & 3)) > $name.pad; done
            cat a.x a.pad b.x b.pad c.x c.pad d.x > tight; zeros 512 >> tight
            (cat a.x; zeros 4096; cat b.x; zeros 512; cat c.x a.pad; cat d.cpio) > padded
            (cat a.cpio b.x b.pad; gzip -c c.cpio; zeros 300; xz --check=crc32 -c d.cpio) > early
            """,
            program
        )
        try check(fixture, "padded")
        try check(fixture, "early")
        try check(fixture, "tight")
    }

    @Test func fromAPipe() throws {
        let fixture = try archives()
        try fixture.shell(
            "gzip -k *.cpio; mkfifo pipe; (cat a.cpio b.cpio.gz; head -c 9 /dev/zero; cat c.cpio.gz d.cpio.gz) > all"
        )
        let writer = try RunningProgram([
            "sh", "-c", "cat \"$0\" > \"$1\"", fixture.host.file("all"), fixture.host.file("pipe"),
        ])
        try check(fixture, "pipe")
        _ = try writer.wait()
    }

    /// Each change from uncompressed to compressed costs a thread: there is an end.
    @Test func endlessChangesAreRefused() throws {
        let fixture = try archives()
        try fixture.shell(
            "gzip -k a.cpio; for i in $(seq 40); do cat a.cpio a.cpio.gz; head -c 3 /dev/zero; done > many"
        )
        let error = try fixture.refusal(fixture.host.file("many"))
        #expect(error.message.contains("changes more than 16 times"), "\(error.message)")
    }

    @Test(arguments: [
        (
            "cat a.cpio.gz; printf '%s\\n' '-----BEGIN PGP SIGNATURE-----'",
            "behind its gzip data: a PGP signature, at byte"
        ),
        ("cat a.cpio; printf '%s\\n' '-----BEGIN PGP SIGNATURE-----'", "cpio archive's end mark: "),
        ("cat a.tar.gz; echo '<html>'", "behind its gzip data: a web page, at byte"),
        ("cat a.tar.gz; printf '\\1\\2'", "unknown data that begin with the bytes 01 02"),
        ("cat a.tar.gz; xz -c a.tar", "behind its gzip data: xz-compressed data, at byte"),
        ("zstd -qc a.tar; cat a.tar.gz", "behind its zstd data: gzip-compressed data, at byte"),
        ("lz4 -qc a.tar; echo garbage", "behind its lz4 data: text that begins with \"garbage\", at byte"),
        ("bzip2 -c a.tar; echo garbage", "behind its bzip2 data: text that begins with \"garbage\", at byte"),
        ("cat a.tar.gz; head -c 9 /dev/zero; cat a.tar.gz", "9 zero bytes and then gzip-compressed data, at byte"),
    ])
    func whatLiesBehindIsNamed(_ script: String, _ message: String) throws {
        guard isInstalled("lz4") || !script.contains("lz4") else { return }
        let fixture = try archives()
        try fixture.shell("tar -cf a.tar a.cpio; gzip -k a.cpio a.tar; (\(script)) > x; wc -c < a.tar.gz > size")
        let error = try fixture.refusal(fixture.host.file("x"))
        #expect(error.code == .badArchive && error.message.contains(message), "\(error.message)")
        if script.hasPrefix("cat a.tar.gz; echo") {
            let size = String(decoding: try fixture.host.read("size"), as: UTF8.self).split(separator: "\n")[0]
            #expect(
                error.message.hasSuffix("at byte \(size)")
                    && error.hint?.contains("head -c \(size) \(fixture.host.file("x")) |") == true
            )
        }
    }

    /// GNU tar stops at the first end mark, too, without a message.
    @Test(arguments: ["cat", "gzip", "zstd -q"]) func concatenatedTarArchives(_ program: String) throws {
        let fixture = try archives()
        try fixture.shell("tar -cf a.tar a.cpio; tar -cf b.tar b.cpio; ($1 < a.tar; $1 < b.tar) > ab", program)
        let summary = try fixture.importing(fixture.host.file("ab"))
        #expect(try fixture.host.names("root") == ["a.cpio"])
        #expect(summary.notices.count == 1 && summary.notices[0].contains("another tar archive"), "\(summary.notices)")
    }

    @Test func wrongChecksumOfCrc() throws {
        let fixture = try ImportFixture()
        try fixture.shell("echo content > c; echo c | cpio -o -H crc --quiet | sed s/content/contenx/ > a.cpio")
        #expect(try fixture.refusal(fixture.host.file("a.cpio")).message.contains("the checksum of c is wrong"))
    }

    /// The next archive's first bytes are a block's last ones: "something behind the end mark: text that begins with 0707".
    @Test(arguments: ["cat", "gzip -1"]) func nextArchiveBeginsAtABlocksEnd(_ program: String) throws {
        let fixture = try archives()
        for border in [131_068, 262_140, 524_284, 524_280] {
            try fixture.shell(
                """
                (cat a.cpio b.cpio c.cpio; head -c $(($2 - $(cat a.cpio b.cpio c.cpio | wc -c))) /dev/zero; cat d.cpio) | $1 > image
                """,
                program,
                "\(border)"
            )
            try check(fixture, "image")
        }
    }
}
