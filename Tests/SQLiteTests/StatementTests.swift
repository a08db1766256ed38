import Testing

@testable import SQLite

@Suite("SQLite statements")
struct StatementTests {
    private func roundTrip(_ bind: (SQLiteStatement<SQLiteError>) -> Void) throws -> SQLiteStatement<SQLiteError> {
        let statement = try DatabaseFixture().open().prepare("SELECT ?1, typeof(?1)")
        bind(statement)
        try #require(try statement.step())
        return statement
    }

    @Test func typesAreKept() throws {
        let number = try roundTrip { $0.bind(1, Int64.min) }
        #expect(number.number(0) == .min && number.text(1) == "integer")
        let unsigned = try roundTrip { $0.bind(1, UInt32.max) }
        #expect(unsigned.number(0) == 0xffff_ffff && unsigned.text(1) == "integer")
        let blob = try roundTrip { $0.bind(1, [0, 0xff, 0] as [UInt8]) }
        #expect(blob.bytes(0) == [0, 0xff, 0] && blob.text(1) == "blob")
        let text = try roundTrip { $0.bind(1, text: [0x61, 0, 0xff]) }
        #expect(text.bytes(0) == [0x61, 0, 0xff] && text.text(1) == "text")
        let string = try roundTrip { $0.bind(1, text: "é") }
        #expect(string.text(0) == "é" && string.text(1) == "text")
    }

    @Test func emptyIsNotNull() throws {
        let blob = try roundTrip { $0.bind(1, [] as [UInt8]) }
        #expect(!blob.isNull(0) && blob.text(1) == "blob" && blob.optionalBytes(0) == [])
        let text = try roundTrip { $0.bind(1, text: [] as [UInt8]) }
        #expect(!text.isNull(0) && text.text(1) == "text")
        let null = try roundTrip { $0.bind(1, nil as [UInt8]?) }
        #expect(null.isNull(0) && null.optionalBytes(0) == nil && null.bytes(0) == [])
    }

    @Test func aStatementRunsOftenAndForgetsItsParameters() throws {
        let connection = try DatabaseFixture().open()
        let insert = try connection.prepare("INSERT INTO t VALUES (?1, ?2)")
        for number in 1...3 as ClosedRange<Int64> {
            insert.bind(1, [UInt8(number)])
            insert.bind(2, number)
            try insert.run()
        }
        #expect(connection.changes == 1)
        #expect(code { try insert.run() } == nil)  // both are NULL now, which a key of this table may be
        #expect(try connection.number("SELECT sum(v) FROM t") == 13)
    }

    @Test func aTransactionIsStoredAsAWholeOrNotAtAll() throws {
        let connection = try DatabaseFixture().open()
        #expect(
            code {
                try connection.transaction { () throws(SQLiteError) in
                    try connection.execute("DELETE FROM t")
                    try connection.execute("INSERT INTO missing VALUES (1)")
                }
            } != nil
        )
        #expect(try connection.number("SELECT count(*) FROM t") == 1)
        try connection.transaction { () throws(SQLiteError) in try connection.execute("DELETE FROM t") }
        #expect(try connection.number("SELECT count(*) FROM t") == 0)
    }

    @Test func aStatementOutlivesTheNameOfItsConnection() throws {
        let statement = try DatabaseFixture().open().prepare("SELECT v FROM t")
        #expect(try statement.step() && statement.number(0) == 7)
    }

    @Test func aFunctionSeesEachArgumentWithItsType() throws {
        let connection = try DatabaseFixture().open()
        connection.addFunction("kinds") { arguments in
            (0..<arguments.count).reduce(0) { $0 * 10 + Int64(arguments[$1].kind.rawValue) }
        }
        connection.addFunction("bytes") { $0[0].withBytes { Int64($0.count) } }
        #expect(try connection.number("SELECT kinds(1, 1.5, 'a', x'00', NULL)") == 12345)
        #expect(try connection.number("SELECT bytes(x'000102')") == 3)
    }

    @Test func errorsHaveTheirCodeAndSQLitesWords() throws {
        let connection = try DatabaseFixture().open()
        #expect { try connection.execute("SELECT * FROM missing") } throws: {
            ($0 as? SQLiteError)?.message == "no such table: missing"
        }
        #expect(SQLiteError.Code(rawValue: 266) == .inputOutput)  // SQLITE_IOERR_READ
    }
}
