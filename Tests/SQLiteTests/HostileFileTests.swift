import LinuxFiles
import Testing
import TestSupport

@testable import SQLite

@Suite("SQLite: files that somebody else made")
struct HostileFileTests {
    @Test func onlyRegularFilesWithOneNameOfATrustedOwner() throws {
        let fixture = try DatabaseFixture()
        #expect(try fixture.open().number("SELECT v FROM t") == 7)
        _ = try run("chmod", "666", fixture.path)
        #expect(code { try fixture.open() } == .cannotOpen)
        _ = try run("chmod", "600", fixture.path)
        _ = try run("ln", fixture.path, "\(fixture.path)2")
        #expect(code { try fixture.open() } == .cannotOpen)
        _ = try run("mv", "\(fixture.path)2", "\(fixture.path)3")
        _ = try run("rm", fixture.path)
        _ = try run("ln", "-s", "a.db3", fixture.path)
        #expect(code { try fixture.open() } == .cannotOpen)
        _ = try run("rm", fixture.path)
        _ = try run("mkfifo", fixture.path)
        #expect(code { try fixture.open(.readOnly) } == .cannotOpen)
    }

    @Test func aDirectoryThatIsMovedLeadsNowhereElse() throws {
        let fixture = try DatabaseFixture()
        let connection = try fixture.open()
        let path = fixture.directory.path
        _ = try run("mv", path, "\(path).moved")
        defer { _ = try? run("mv", "\(path).moved", path) }
        try connection.execute("INSERT INTO t VALUES (x'01', 1)")
        #expect(try fixture.open().number("SELECT count(*) FROM t") == 2)
    }

    @Test func namesOfAnyBytes() throws {
        let fixture = try DatabaseFixture()
        let name = Array("a ?#%é\n".utf8)
        _ = try run("cp", fixture.path, "\(fixture.directory.path)/a ?#%é\n")
        let connection = try SQLiteConnection<SQLiteError>(
            name,
            in: fixture.descriptor.raw,
            .readOnly,
            limit: .none,
            maxValue: 100
        ) { $0 }
        #expect(try connection.number("SELECT v FROM t") == 7)
    }

    @Test func whatIsOnlyReadIsNotWritten() throws {
        let fixture = try DatabaseFixture()
        for access in [SQLiteAccess.readOnly, .immutable] {
            let connection = try fixture.open(access)
            #expect(code { try connection.execute("DELETE FROM t") } == .readOnly)
        }
        #expect(code { try fixture.copy().execute("DELETE FROM t") } == .readOnly)
    }

    @Test func anotherWritersLockIsToldAsBusy() throws {
        let fixture = try DatabaseFixture()
        let first = try fixture.open()
        try first.execute("BEGIN IMMEDIATE")
        #expect(code { try fixture.open().execute("BEGIN IMMEDIATE") } == .busy)
        // A copy waits for no lock.
        #expect(try fixture.copy().number("SELECT v FROM t") == 7)
    }

    @Test(arguments: [WorkLimit.milliseconds(20), .instructionsPerStep(1_000_000)])
    func aQueryWithoutEndIsEnded(_ limit: WorkLimit) throws {
        let fixture = try DatabaseFixture()
        let connection = try fixture.open(limit: limit)
        #expect(code { try connection.number(endless) } == .interrupted)
        #expect(code { try fixture.copy(limit: limit).number(endless) } == .interrupted)
    }

    @Test func instructionsCountAnewForEachStep() throws {
        let connection = try DatabaseFixture().open(limit: .instructionsPerStep(100_000))
        let rows = try connection.prepare(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT 50000"
        )
        var count = 0
        while try rows.step() { count += 1 }
        #expect(count == 50000)
        connection.setWorkLimit(.instructionsPerStep(1000))
        #expect(code { try connection.number("SELECT count(*) FROM (\(endless) LIMIT 1)") } == .interrupted)
    }

    @Test func valuesHaveALargestSize() throws {
        let connection = try DatabaseFixture().open(maxValue: 1000)
        #expect(code { try connection.number("SELECT length(zeroblob(1001))") } == .tooBig)
        #expect(try connection.number("SELECT length(zeroblob(900))") == 900)
    }

    @Test func nothingIsAttachedOrLoaded() throws {
        let connection = try DatabaseFixture().open()
        #expect(code { try connection.execute("ATTACH '/tmp/x' AS x") } != nil)
        #expect(code { try connection.execute("SELECT load_extension('x')") } != nil)
    }

    @Test(arguments: [
        ("CREATE TABLE files (a); CREATE VIEW v AS SELECT 1", "v"),
        ("CREATE TABLE files (a, b AS (a + 1))", "b"),
        ("CREATE TABLE files (a); CREATE TRIGGER x AFTER INSERT ON files BEGIN SELECT 1; END", "x"),
    ])
    func whatComputesIsFound(_ schema: String, _ name: String) throws {
        let fixture = try DatabaseFixture(schema)
        #expect(try fixture.copy().firstComputed(columnsOf: ["files"]) == Array(name.utf8))
    }

    @Test func plainTablesDoNotCompute() throws {
        let fixture = try DatabaseFixture("CREATE TABLE files (a UNIQUE); CREATE INDEX i ON files (a); ANALYZE")
        #expect(try fixture.copy().firstComputed(columnsOf: ["files"]) == nil)
    }

    @Test func whatIsNoDatabase() throws {
        let fixture = try DatabaseFixture()
        _ = try run("sh", "-c", "head -c 4096 /dev/zero | tr '\\0' x > \"$0\"", fixture.path)
        #expect(code { try fixture.copy().number("SELECT 1 FROM t") } == .notADatabase)
        #expect(code { try fixture.open().number("SELECT 1 FROM t") } == .notADatabase)
        let file = try System.open(fixture.path, .readOnly)
        #expect(throws: Errno.EINVAL) { _ = try SQLiteImage(of: file.raw, size: 511) }
        #expect(throws: Errno.ESTALE) { _ = try SQLiteImage(of: file.raw, size: 4097) }
    }

    @Test func aFileIsMadeThroughNoLink() throws {
        let fixture = try DatabaseFixture()
        _ = try run("ln", "-s", "elsewhere", "\(fixture.directory.path)/link")
        #expect(
            code {
                let path = "\(fixture.directory.path)/link"
                let made = try SQLiteConnection<SQLiteError>(makingFile: path, maxValue: 100, busyTimeout: 0) { $0 }
                try made.execute("CREATE TABLE t (a)")
            } == .cannotOpen
        )
        #expect(throws: Errno.ENOENT) { _ = try System.open("\(fixture.directory.path)/elsewhere", .path) }
    }
}
