import FakeRoot
import ImageEntries
import LinuxFiles
import TestSupport
import Testing

@testable import RootfsImage

/// Other tools' metadata files that somebody has planted: one clear line, no hang, nothing written.
@Suite struct HostileDatabaseTests {
    /// A directory, and beside it the place of pseudo's database.
    private func make() throws -> ForeignFixture {
        let fixture = try ForeignFixture()
        try fixture.shell("mkdir root root.pseudo_state; echo x > root/file")
        return fixture
    }

    /// Runs Python with `path`, the database's path, and `schema`, pseudo's tables.
    private func python(_ fixture: ForeignFixture, _ script: String) throws {
        try fixture.host.write(
            "make.py",
            """
            import os, sqlite3, sys
            path, root = 'root.pseudo_state/files.db', os.path.realpath('root')
            xattrs = 'CREATE TABLE xattrs (id INTEGER PRIMARY KEY, dev INTEGER, ino INTEGER, name VARCHAR, value VARCHAR);'
            files = 'CREATE TABLE files (id INTEGER PRIMARY KEY, path VARCHAR, dev INTEGER, ino INTEGER, uid INTEGER, ' \\
                'gid INTEGER, mode INTEGER, rdev INTEGER, deleting INTEGER);'
            row = "INSERT INTO files VALUES (1, '%s/file', 1, 1, 7, 8, 33152, 0, 0);" % root
            \(script)
            """
        )
        try fixture.shell("python3 make.py")
    }

    private func importing(_ fixture: ForeignFixture) -> ImageError? {
        var options = ImportOptions()
        options.isSynchronized = false
        do throws(ImageError) {
            let (source, destination) = (fixture.host.file("root"), fixture.host.file("new"))
            _ = try Importer(source: source, destination: destination, options: options).run()
            return nil
        } catch {
            return error
        }
    }

    private static let state =
        "find root root.pseudo_state -printf '%p %y %s %T@ %C@\\n' | sort; ls -A | grep -v make.py"

    /// A FIFO made the import wait for ever.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("mkfifo", "is not a regular file"), ("mkdir", "is not a regular file"),
            ("ln -s /dev/zero", "is not a regular file"), ("ln -s files.db", nil),
            ("ln -s nowhere", nil), ("truncate -s 1T", "is too large"), ("touch", "too short"),
            ("printf 'SQLite format 3\\0' >", "too short"), ("yes | head -c 9999 >", "not a database"),
        ]
    )
    func whatIsNoDatabaseIsRefused(_ command: String, _ message: String?) throws {
        let fixture = try make()
        try fixture.shell("\(command) root.pseudo_state/files.db")
        let before = try fixture.shell(Self.state)
        let failure = importing(fixture)
        guard let message else {
            #expect(failure == nil)
            return
        }
        #expect(failure?.message.contains(message) == true, "\(String(describing: failure))")
        #expect(failure?.message.contains("\n") == false)
        #expect(try fixture.shell(Self.state) == before)
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [MetadataKind.fakeroot, .deviceTable],
        ["mkfifo", "mkdir", "ln -s /dev/zero", "truncate -s 1T"]
    )
    func whatIsNoTextIsRefused(_ kind: MetadataKind, _ command: String) throws {
        let fixture = try make()
        try fixture.shell("rm -r root.pseudo_state; \(command) root.\(kind == .fakeroot ? "fakeroot" : "devtable")")
        let failure = importing(fixture)
        let message = command.hasPrefix("truncate") ? "is too large" : "is not a regular file"
        #expect(failure?.message.contains(message) == true, "\(String(describing: failure))")
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            "CREATE VIEW files AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) "
                + "SELECT n id, n path, n dev, n ino, n uid, n gid, n mode, n rdev, 0 deleting FROM c",
            "CREATE TABLE files (path, deleting, uid, gid, mode, rdev, dev, ino, id); CREATE TRIGGER t AFTER INSERT ON files "
                + "BEGIN DELETE FROM files; END",
            "CREATE VIRTUAL TABLE files USING fts5(path, deleting)",
            "CREATE TABLE files (id, path, dev, ino, uid, gid, mode, deleting, "
                + "rdev AS (length(hex(zeroblob(30000000)))))",
        ]
    )
    func whatComputesIsRefused(_ sql: String) throws {
        let fixture = try make()
        try python(fixture, "sqlite3.connect(path).executescript(xattrs + \"\"\"\(sql)\"\"\")")
        let before = try fixture.shell(Self.state)
        let failure = importing(fixture)
        #expect(failure?.message.contains("is not a plain table") == true, "\(String(describing: failure))")
        #expect(try fixture.shell(Self.state) == before)
    }

    /// SQLite reads a database in WAL mode only with two files beside it, which it makes.
    @Test func closedDatabaseInWalModeIsReadAndLeftAlone() throws {
        let fixture = try make()
        try python(
            fixture,
            """
            d = sqlite3.connect(path)
            d.execute('PRAGMA journal_mode = WAL')
            d.executescript(files + xattrs + row)
            d.close()
            """
        )
        let before = try fixture.shell(Self.state)
        #expect(importing(fixture) == nil)
        #expect(try fixture.shell("rm -rf new .new.*;" + Self.state) == before)
        #expect(try fixture.entries()["file"] == "600 7:8 file")
    }

    /// What is in the log only would be missing.
    @Test(arguments: ["WAL", "DELETE"]) func databaseInUseIsRefused(_ mode: String) throws {
        let fixture = try make()
        try python(
            fixture,
            """
            d = sqlite3.connect(path, isolation_level=None)
            d.execute('PRAGMA journal_mode = \(mode)')
            d.executescript(files + xattrs)
            d.execute('PRAGMA cache_size = 1')
            d.execute('BEGIN EXCLUSIVE')
            d.execute(row)
            d.executemany('INSERT INTO xattrs (name) VALUES (?)', [('x' * 4000,)] * 100)
            os._exit(0)
            """
        )
        let before = try fixture.shell(Self.state)
        let failure = importing(fixture)
        #expect(
            failure?.message.contains("is in use, or was when its program ended") == true,
            "\(String(describing: failure))"
        )
        #expect(try fixture.shell(Self.state) == before)
    }

    /// Without its database a tree was taken for a plain directory: all became root's without a word.
    @Test func treeThatLostItsDatabaseIsRefused() throws {
        let fixture = try ImportFixture()
        try fixture.importing(fixture.archive("add('etc', D); add('link', S, linkname='etc', uid=5, gid=6)"))
        try fixture.shell("rm .root.usb9pfs.db*")
        let root = fixture.host.file("root")
        var failures: [ImageError] = []
        func attempt(_ body: () throws(ImageError) -> Void) {
            do throws(ImageError) {
                try body()
            } catch {
                failures.append(error)
            }
        }
        attempt { () throws(ImageError) in _ = try fixture.importing(root, to: "copy") }
        attempt { () throws(ImageError) in
            _ = try TreeConversion(root, TreeConversion.Options(to: .rsync)).run()
        }
        attempt { () throws(ImageError) in _ = try Exporter(directory: root, target: fixture.host.file("a.tar")).run() }
        #expect(failures.count == 3)
        for failure in failures {
            #expect(failure.message.contains("is gone: owners of at least 1 file"), "\(failure)")
            #expect(!failure.message.contains("\n") && failure.hint?.contains("check --repair") == true)
        }
    }

    /// What a board puts into its tree is a file like others.
    @Test func plantedMetadataDontChangeAnImportedTree() throws {
        let fixture = try ImportFixture()
        try fixture.importing(fixture.archive("add('etc', D); add('etc/shadow', gid=42, mode=0o640)"))
        try fixture.shell(
            """
            mkdir root/.virtfs_metadata root/etc.pseudo_state
            printf 'virtfs.uid=7\\n' > root/.virtfs_metadata/etc
            mkfifo root/etc.pseudo_state/files.db
            touch root/THIS_IS_NOT_YOUR_ROOT_FILESYSTEM
            setfattr -n user.rsync.%stat -v '104755 0,0 9:9' root/etc
            """
        )
        try fixture.importing(fixture.host.file("root"), to: "copy")
        #expect(try fixture.status("etc/shadow", in: "copy").gid == 42)
        #expect(try fixture.status("etc", in: "copy").uid == 0)
        // A part of the tree lies beside what a board has made.
        var failure: ImageError?
        do throws(ImageError) {
            try fixture.importing(fixture.host.file("root/etc"), to: "part")
        } catch {
            failure = error
        }
        #expect(failure?.message.contains("a board may have put it there") == true, "\(String(describing: failure))")
    }

    /// Such numbers can't be stored, and an export of them could not be imported.
    @Test(arguments: [
        ("setfattr -n user.rsync.%stat -v '100644 0,0 4294967295:0' root/file", "its owner or group"),
        ("setfattr -n user.rsync.%stat -v '20644 5000,0 0:0' root/file; : > root/file", "Linux has no such type"),
    ])
    func numbersThatLinuxLacksAreRefused(_ command: String, _ message: String) throws {
        let fixture = try make()
        try fixture.shell(command)
        let failure = importing(fixture)
        #expect(failure?.message.contains("refused file: \(message)") == true, "\(String(describing: failure))")
    }

    /// A database of ours, or an attribute of a tool, is never a part of what is imported.
    @Test func databasesAndToolsAttributesStayOutside() throws {
        let fixture = try make()
        try fixture.shell(
            """
            rm -r root.pseudo_state
            mkdir root/home
            for f in .a.usb9pfs.db .a.usb9pfs.db-wal .b.usb9pfs.db.old .usb9pfs-new.1.1; do echo x > root/home/$f; done
            setfattr -n user.rsync.user.usb9pfs.convert -v 'clean override-stat rsync' root
            setfattr -n user.rsync.%stat -v '40755 0,0 0:0' root
            """
        )
        let list = try fixture.entries("root", .rsync)
        #expect(list.order == [".", "file", "home"])
        #expect(list.entries["."]?.attributes == [])
        #expect(
            list.notices.contains("3 files of a p9serve tree's database left out: home/.a.usb9pfs.db"),
            "\(list.notices)"
        )
    }
}
