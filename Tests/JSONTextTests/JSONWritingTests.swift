import JSONText
import Testing

@Suite("Writing JSON")
struct JSONWritingTests {
    private let value = JSONValue.object([
        ("name", "x"), ("none", JSONValue(nil)), ("list", .array([.integer(1), .bool(false)])), ("empty", .array([])),
        ("nothing", .object([])),
    ])

    @Test func inOneLine() {
        #expect(value.line == #"{"name":"x","none":null,"list":[1,false],"empty":[],"nothing":{}}"#)
    }

    @Test func inLinesOfTwoSpaces() {
        let expected = """
            {
              "name": "x",
              "none": null,
              "list": [
                1,
                false
              ],
              "empty": [],
              "nothing": {}
            }
            """
        #expect(value.text() == expected)
    }

    @Test func whatATerminalWouldActOnIsEscaped() {
        #expect(JSONValue.string("\"\\\n\r\t\u{1}\u{7f}\u{9b}\u{e9}").line == #""\"\\\n\r\t\u0001\u007f\u009b\#u{e9}""#)
    }

    @Test func integersAreClamped() {
        #expect(JSONValue.integer(UInt64.max).line == "9223372036854775807")
    }

    @Test func whatWasWrittenReadsBack() throws {
        let texts = [value.line, value.text(), JSONValue.string("\u{0}\u{9f}\u{1f600}").line]
        for text in texts {
            #expect(try JSONValue(parsing: Array(text.utf8)).line == JSONValue(parsing: Array(text.utf8)).line)
        }
        #expect(try JSONValue(parsing: Array(value.text().utf8)).line == value.line)
        #expect(try JSONValue(parsing: Array(texts[2].utf8)).string == "\u{0}\u{9f}\u{1f600}")
    }
}
