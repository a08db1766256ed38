import JSONText
import Testing

@Suite("Reading JSON")
struct JSONReadingTests {
    private func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

    @Test func values() throws {
        let text = #" {"a": [1, -2, 3.5, 1e3], "s": "x\n\u00e9\ud83d\ude00\/", "t": true, "n": null, "o": {}} "#
        let value = try parse(text)
        #expect(value["a"]?.array?.map(\.line) == ["1", "-2", "3.5", "1e3"])
        #expect(value["a"]?.array?.map(\.integer) == [1, -2, nil, nil])
        #expect(value["s"]?.string == "x\n\u{e9}\u{1f600}/")
        #expect(value["t"]?.line == "true" && value["n"]?.isNull == true && value["o"]?.object?.isEmpty == true)
        #expect(value["missing"] == nil && value["a"]?["b"] == nil)
    }

    @Test func numbersThatDoNotFitKeepTheirText() throws {
        #expect(try parse("9223372036854775807").integer == .max)
        #expect(try parse("9223372036854775808").integer == nil)
        #expect(try parse("-0.10e+400").line == "-0.10e+400")
    }

    @Test func aListMayBeNull() throws {
        #expect(try parse("null").list?.isEmpty == true)
        #expect(try parse("[1]").list?.count == 1)
        #expect(try parse("{}").list == nil && parse("1").list == nil)
    }

    @Test func membersStayInTheirOrder() throws {
        #expect(try parse(#"{"b":1,"a":2,"c":3}"#).object?.map(\.key) == ["b", "a", "c"])
    }

    @Test func theDeepestThatIsRead() throws {
        let text = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(try parse(text).line == text)
    }

    @Test func errorsSayWhere() {
        #expect { try parse(#"{"a": 1, "a": 2}"#) } throws: { ($0 as? JSONValue.Malformed)?.offset == 12 }
    }

    @Test(arguments: [
        "", " ", "{", "}", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "01", "-", "1.", "1e", "+1", "tru", "nul", "\"",
        "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\n\"", "1 2",
        "{\"a\":1,\"a\":2}",
        "[", "NaN", "'a'", String(repeating: "[", count: 100_000),
        String(repeating: "[", count: 65) + String(repeating: "]", count: 65),
    ])
    func malformed(_ text: String) {
        #expect(throws: JSONValue.Malformed.self) { try parse(text) }
    }

    @Test func bytesThatAreNoText() {
        #expect(throws: JSONValue.Malformed.self) { try JSONValue(parsing: [0x22, 0xff, 0x22]) }
    }
}
