import FakeRoot
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// Entries whose path leads through symbolic links of the source.
@Suite struct FollowedLinkTests {
    /// What kernel packages, `tar -r` and concatenated initramfs images bring to a merged /usr; refused before.
    @Test func entriesGoWhereTheLinkLeads() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            """
            add('usr', D, mtime=1000); add('usr/lib', D, mtime=2000); add('usr/lib/libc', data=b'c', mode=0o4755, uid=7)
            add('lib', S, linkname='usr/lib')
            add('lib/modules/6.12/a.ko', data=b'a'); add('lib/modules/6.12/b.ko', data=b'b')
            add('lib/new', S, linkname='libc', uid=5); add('lib/dev', C, devmajor=1, devminor=3)
            add('lib/libc2', H, linkname='lib/libc'); add('hard', H, linkname='lib/libc')
            add('lib/libc', data=b'newer')
            """
        )
        let summary = try fixture.importing(archive)
        #expect(try fixture.host.names("root") == ["hard", "lib", "usr"])
        #expect(try fixture.host.names("root/usr/lib") == ["dev", "libc", "libc2", "modules", "new"])
        #expect(try fixture.host.names("root/usr/lib/modules/6.12") == ["a.ko", "b.ko"])
        #expect(try fixture.status("lib").kind == .symlink)
        #expect(try fixture.status("hard").host.linkCount == 2)
        #expect(try fixture.host.read("root/usr/lib/libc") == Array("newer".utf8))
        #expect(try fixture.status("usr/lib/dev").kind == .character(major: 1, minor: 3))
        // The entries' own times, although more was put into the directories.
        #expect(try fixture.status("usr").host.modificationTime.seconds == 1000)
        #expect(try fixture.status("usr/lib").host.modificationTime.seconds == 2000)
        #expect(try fixture.status("usr/lib/modules").host.modificationTime.seconds == 0)
        #expect(summary.entriesThroughLinks == 6 && summary.replaced == 1)
        #expect(summary.notices == ["lib leads to usr/lib: 6 entries were put there"])
        let manifest = try fixture.manifest()
        #expect(manifest["usr/lib/modules/6.12/a.ko"]?.hash != nil && manifest["usr/lib/libc2"]?.status.uid == 7)
        #expect(manifest.keys.allSatisfy { !$0.hasPrefix("lib/") })
    }

    /// Absolute targets begin at the tree's root, ".." ends there, and what a link leads to is made if it is missing.
    @Test(arguments: [
        ("add('l', S, linkname='/tmp'); add('l/f')", "tmp/f"),
        ("add('l', S, linkname='.'); add('l/a/f')", "a/f"),
        ("add('l', S, linkname='/'); add('l/a/f')", "a/f"),
        ("add('d', D); add('d/l', S, linkname='..'); add('d/l/f')", "f"),
        ("add('a/b', D); add('a/b/l', S, linkname='../../c/./d//'); add('a/b/l/f')", "c/d/f"),
        ("add('a', S, linkname='b'); add('b', S, linkname='/c/d'); add('c/d', S, linkname='e'); add('a/f')", "c/e/f"),
        ("add('l', S, linkname='a/m'); add('a/m', S, linkname='../n'); add('l/x/f')", "n/x/f"),
        ("[add(f'l{i}', S, linkname=f'l{i+1}') for i in range(40)]; add('l40', D); add('l0/f')", "l40/f"),
        // The link is another one, or a directory, when the next entry comes.
        ("add('l', S, linkname='a'); add('l/x'); add('l', S, linkname='b'); add('l/f')", "b/f"),
        (
            "add('l', S, linkname='m'); add('m', S, linkname='a'); add('l/x'); add('m', S, linkname='b'); add('l/f')",
            "b/f"
        ),
        // As dpkg and tar --keep-directory-symlink do it.
        ("add('d', D); add('l', S, linkname='d'); add('l', D, mode=0o700); add('l/f')", "d/f"),
        ("add('l', S, linkname='d'); add('l', D); add('l/f')", "d/f"),
        ("add('l', S, linkname='/'); add('l', D); add('l/f')", "f"),
    ])
    func resolved(_ body: String, _ place: String) throws {
        let fixture = try ImportFixture()
        try fixture.importing(fixture.archive(body))
        try fixture.shell("cd root; find . -type f -name f | grep -qxF \"./$1\"", place)
        #expect(try fixture.manifest()[place]?.status.kind == .file)
    }

    /// The link stays, with one warning; a directory that it leads to nowhere yet gets what the entry says.
    @Test func directoriesInThePlaceOfLinks() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            """
            add('usr/lib', D, mode=0o711, uid=3, mtime=1000); add('lib', S, linkname='usr/lib')
            add('lib', D, mode=0o700, uid=9, mtime=2000); add('lib/f')
            add('bin', S, linkname='usr/bin'); add('bin', D, mode=0o750, uid=4, mtime=3000)
            """
        )
        let summary = try fixture.importing(archive)
        let library = try fixture.status("usr/lib")
        #expect(library.permissions == 0o711 && library.uid == 3 && library.host.modificationTime.seconds == 1000)
        let programs = try fixture.status("usr/bin")
        #expect(programs.permissions == 0o750 && programs.uid == 4 && programs.host.modificationTime.seconds == 3000)
        #expect(try fixture.status("lib").kind == .symlink && fixture.status("bin").kind == .symlink)
        #expect(summary.notices.filter { $0.contains("in the place of") }.count == 1, "\(summary.notices)")
        #expect(summary.notices.contains { $0.hasSuffix("keep owner, mode and time: lib") }, "\(summary.notices)")
        #expect(try fixture.manifest()["usr/bin"]?.status.uid == 4)
    }

    /// Another hard link of the file itself, said through a link: it must not remove what it leads to.
    @Test func hardLinkToItselfThroughALink() throws {
        let fixture = try ImportFixture()
        try fixture.importing(
            fixture.archive("add('usr/f', data=b'x'); add('l', S, linkname='usr'); add('l/f', H, linkname='usr/f')")
        )
        #expect(try fixture.host.read("root/usr/f") == Array("x".utf8))
    }

    @Test func manyLinksAreToldInFewWords() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            "add('d', D)\nfor i in range(50): add(f'l{i}', S, linkname='d'); add(f'l{i}/f{i}'); add(f'l{i}', D)"
        )
        let summary = try fixture.importing(archive)
        #expect(summary.entriesThroughLinks == 50 && summary.notices.count == 12, "\(summary.notices)")
        #expect(summary.notices.contains("40 entries were put where other symbolic links lead"))
    }

    @Test(.enabled(if: isInstalled("cpio"))) func laterInitramfs() throws {
        let fixture = try ImportFixture()
        try fixture.shell(
            """
            mkdir -p one/usr/lib two/lib/modules; ln -s usr/lib one/lib; echo x > two/lib/modules/x
            for d in one two; do (cd $d; find . | cpio -o -H newc --quiet); done > both.cpio; rm -r one two
            """
        )
        try fixture.importing(fixture.host.file("both.cpio"))
        #expect(try fixture.host.names("root/usr/lib/modules") == ["x"])
    }

    /// Another process swaps a directory of the growing tree for a link to a directory outside, all the time. Links are
    /// followed meanwhile, and directories entered again and again.
    @Test func racedLinksReachNothingOutside() throws {
        let fixture = try ImportFixture()
        try fixture.host.makeDirectory("victim")
        let victim = try System.open(fixture.host.file("victim"), .path)
        let before = try System.status(of: victim.raw)
        let archive = try fixture.archive(
            """
            add('usr/lib', D); add('usr/bin', D); add('lib', S, linkname='/usr/lib'); add('up', S, linkname='usr/bin/../lib')
            for i in range(100):
                add(f'lib/f{i}'); add(f'usr/bin/g{i}'); add(f'up/h{i}'); add(f'lib/d{i % 7}/x{i}', H, linkname=f'up/h{i}')
            """
        )
        // The swapped directory comes back, so that the import can go on.
        let swap = """
            import ctypes, os, random, sys, time
            libc = ctypes.CDLL(None)
            os.chdir(sys.argv[1])
            os.symlink(os.path.abspath("victim"), "bait")
            end = time.monotonic() + 30
            swaps = 0
            while time.monotonic() < end and not os.path.exists("stop"):
                for name in os.listdir("."):
                    if ".importing-" not in name or name.startswith(".."): continue
                    for path in ("usr", "usr/lib", "usr/bin"):
                        # The link is there for a moment, or comes and goes for a while.
                        time.sleep(random.choice((0, 0, 0.0005, 0.002)))
                        for _ in range(random.choice((2, 300))):
                            swaps += libc.renameat2(-100, b"bait", -100, os.fsencode(f"{name}/{path}"), 2) == 0
            open("swaps", "w").write(str(swaps))
            """
        try fixture.host.write("swap.py", swap)
        let swapper = try RunningProgram(["python3", fixture.host.file("swap.py"), fixture.host.path])
        waitUntil { listFiles(fixture.host.path).contains("bait") }
        for number in 0..<15 {
            // What a swap spoils may be refused; it must not go astray.
            _ = try? fixture.importing(archive, to: "root\(number)")
        }
        try fixture.host.write("stop", "")
        _ = try swapper.wait()
        #expect(try fixture.host.names("victim") == [])
        #expect(try System.status(of: victim.raw).changeTime == before.changeTime)
        #expect(try Int(String(decoding: fixture.host.read("swaps"), as: UTF8.self)) ?? 0 > 100)
    }
}
