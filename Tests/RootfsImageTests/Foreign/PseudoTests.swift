import ImageEntries
import LinuxFiles
import TestSupport
import Testing

@testable import RootfsImage

@Suite(.enabled(if: isInstalled("pseudo"))) struct PseudoTests {
    /// Made, changed and removed under pseudo; all kinds of files.
    static let script = """
        mkdir -p root; cd root; chown 0:0 .
        mkdir -p bin dev etc home/u
        echo hi > bin/su; chown 0:0 bin/su; chmod 4755 bin/su
        ln bin/su bin/sudo
        ln -s su bin/lnk; chown -h 5:6 bin/lnk
        echo a > etc/shadow.new; chown 0:42 etc/shadow.new; chmod 640 etc/shadow.new
        mknod dev/null c 1 3; chmod 666 dev/null
        mknod dev/sda1 b 8 1; chown 0:6 dev/sda1
        mkfifo dev/pipe; chown 7:8 dev/pipe
        setfattr -n user.foo -v bar etc/shadow.new
        setfattr -n security.capability -v \(ForeignFixture.netRawHex) bin/su
        mv etc/shadow.new etc/shadow
        echo x > home/u/f; chown 1000:1000 home/u home/u/f
        echo gone > etc/gone; chown 3:3 etc/gone; rm etc/gone
        sed -i s/a/b/ etc/shadow
        chown 0:42 etc/shadow; chmod 640 etc/shadow
        """

    @Test func whatPseudoShowsIsRead() throws {
        let fixture = try ForeignFixture()
        try fixture.pseudo(Self.script)
        try fixture.host.write("root/outside", "made without pseudo")
        let list = try fixture.entries(metadata: fixture.host.file("state/files.db"))
        #expect(list["."] == "755 0:0 dir")
        #expect(list["bin/su"] == "4755 0:0 file" && list["bin/sudo"] == "== bin/su")
        #expect(list["bin/lnk"] == "777 5:6 -> su")
        #expect(list["etc/shadow"] == "640 0:42 file" && list.contents["etc/shadow"] == "b\n")
        #expect(list["dev/null"] == "666 0:0 c 1,3" && list["dev/sda1"] == "644 0:6 b 8,1")
        #expect(list["dev/pipe"] == "644 7:8 pipe")
        #expect(list["home/u"] == "755 1000:1000 dir" && list["home/u/f"] == "644 1000:1000 file")
        #expect(list["etc/gone"] == nil)
        #expect(list.attribute("security.capability", of: "bin/su") == ForeignFixture.netRaw)
        let user = System.effectiveUser
        #expect(list["outside"]?.hasPrefix("644 \(user):") == true)
        #expect(
            list.notices == [
                "not in the pseudo database: 1 file keeps the host's owner, as pseudo itself shows them"
            ]
        )
        #expect(list.order == list.order.sorted() && list.order.first == ".")
        // pseudo agrees, file by file.
        let shown = try fixture.pseudo(
            "cd root; stat -c '%n %a %u:%g' . bin/* dev/* etc/* home home/u home/u/* outside"
        )
        for line in shown.split(separator: "\n") where !line.contains("bin/sudo") {
            let fields = line.split(separator: " ", maxSplits: 1)
            #expect(list[String(fields[0])]?.hasPrefix(fields[1]) == true, "\(line)")
        }
        #expect(shown.split(separator: "\n").count == 12)
    }

    /// Inode numbers say nothing of a copy; the paths do.
    @Test func movedAndCopiedTreeIsStillKnown() throws {
        let fixture = try ForeignFixture()
        try fixture.pseudo(Self.script)
        try fixture.shell("cp -a root copy; mv root moved")
        for name in ["copy", "moved"] {
            let list = try fixture.entries(name, metadata: fixture.host.file("state/files.db"))
            #expect(list["bin/lnk"] == "777 5:6 -> su", "\(name)")
            #expect(list["dev/null"] == "666 0:0 c 1,3", "\(name)")
            #expect(list.notices == [], "\(name)")
        }
    }

    @Test func databaseBesideTheDirectoryIsFound() throws {
        let fixture = try ForeignFixture()
        try fixture.pseudo(Self.script, state: "pseudo")
        let evidence = try MetadataEvidence(fixture.host.file("root"))
        #expect(evidence.kind == .pseudo)
        #expect(try fixture.entries()["bin/lnk"] == "777 5:6 -> su")
        try fixture.shell("mv pseudo root.pseudo_state")
        #expect(try MetadataEvidence(fixture.host.file("root/")).kind == .pseudo)
        // A database about other directories does not count for this one.
        try fixture.shell("mv root.pseudo_state pseudo; mkdir other")
        #expect(try MetadataEvidence(fixture.host.file("other")).kind == .plain)
    }

    /// Metadata that a running server knows are not in the file yet.
    @Test func runningServerIsRefused() throws {
        let fixture = try ForeignFixture()
        try fixture.pseudo(Self.script)
        let failure = try {
            let running = try RunningProgram([
                "sh", "-c",
                "cd \"$1\"; export PSEUDO_PREFIX=/usr PSEUDO_LOCALSTATEDIR=\"$1/state\"; "
                    + "pseudo sh -c 'stat root; echo > ready; while [ ! -e done ]; do sleep 0.05; done'; pseudo -S",
                "sh", fixture.host.path,
            ])
            waitUntil { listFiles(fixture.host.path).contains("ready") }
            defer {
                _ = try? fixture.host.write("done", "")
                _ = try? running.wait()
            }
            return try fixture.refusal(metadata: fixture.host.file("state/files.db"))
        }()
        #expect(failure.message.contains("is running") && failure.hint?.contains("pseudo -S") == true)
    }

    @Test(
        arguments: [
            ("12 (pseudo) S 1", true), ("12 (pseudo) Z 1", false), ("12 (sh) S 1", false), ("12 (pseudo) ", false),
        ]
    )
    func serverThatNobodyWaitsForIsGone(_ status: String, _ isServer: Bool) {
        #expect(PseudoReader.isServer(Array(status.utf8)[...], 12) == isServer)
    }

    @Test func rowOfAnotherKindOfFileIsNotBelieved() throws {
        let fixture = try ForeignFixture()
        try fixture.pseudo(Self.script)
        try fixture.shell("rm root/dev/null; echo text > root/dev/null; rm root/bin/lnk")
        let list = try fixture.entries(metadata: fixture.host.file("state/files.db"))
        #expect(list["dev/null"] == "666 0:0 file" && list.contents["dev/null"] == "text\n")
        #expect(
            list.notices == [
                "dev/null: its metadata call it a character device, but it is a regular file; only owner and mode were taken",
                "1 names of the pseudo database have no file in the directory",
            ]
        )
    }

    @Test(arguments: ["head -c 5000", "head -c 100", "sed s/SQLite/SQLate/", "tr '\\\\000-\\\\020' x"])
    func damagedDatabaseIsRefused(_ damage: String) throws {
        let fixture = try ForeignFixture()
        try fixture.pseudo(Self.script)
        try fixture.shell("LC_ALL=C \(damage) < state/files.db > state/bad.db")
        let failure = try fixture.refusal("root", .pseudo, metadata: fixture.host.file("state/bad.db"))
        #expect(failure.code == .badArchive && failure.message.contains("bad.db"), "\(failure)")
    }
}
