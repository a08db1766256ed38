import Testing

@testable import Archives

@Suite("JSON documents")
struct JSONDocumentTests {
    private func parse(_ text: String) throws -> JSONDocument { try JSONDocument(parsing: Array(text.utf8)) }

    @Test func values() throws {
        let text = #" {"a": [1, -2, 3.5, 1e3], "s": "x\n\u00e9\ud83d\ude00\/", "t": true, "n": null, "o": {}} "#
        let document = try parse(text)
        #expect(document["a"]?.array == [.number(1), .number(-2), .number(nil), .number(nil)])
        #expect(document["s"]?.string == "x\n\u{e9}\u{1f600}/")
        #expect(document["t"] == .bool(true) && document["n"] == .null && document["o"]?.object == [:])
        #expect(document["missing"] == nil)
        #expect(try parse("9223372036854775808") == .number(nil))
    }

    @Test(arguments: [
        "", " ", "{", "}", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "01", "-", "1.", "1e", "+1", "tru", "nul", "\"",
        "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\n\"", "1 2",
        "{\"a\":1,\"a\":2}",
        "[", "NaN", "'a'", String(repeating: "[", count: 100_000),
        String(repeating: "[", count: 65) + String(repeating: "]", count: 65),
    ])
    func malformed(_ text: String) {
        #expect(throws: JSONDocument.Malformed.self) { try parse(text) }
    }

    @Test func bytesThatAreNoText() {
        #expect(throws: JSONDocument.Malformed.self) { try JSONDocument(parsing: [0x22, 0xff, 0x22]) }
    }
}
