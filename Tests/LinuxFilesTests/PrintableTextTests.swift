import LinuxFiles
import Testing

/// A name from an archive reached the terminal as it was, escape sequences included.
@Suite struct PrintableTextTests {
    @Test(arguments: [
        ("", ""), ("etc/passwd", "etc/passwd"), ("Grüße 日本 🎉", "Grüße 日本 🎉"), (#"a\b"#, #"a\b"#),
        ("نامه\u{200c}ها", "نامه\u{200c}ها"),
        ("a\u{1b}[2Jb", #"a\x1b[2Jb"#), ("a\nb\r\tc\u{7f}", #"a\x0ab\x0d\x09c\x7f"#), ("\u{9b}31m", #"\u{009b}31m"#),
        ("safe\u{202e}gpj.exe", #"safe\u{202e}gpj.exe"#), ("\u{2066}x\u{2069}", #"\u{2066}x\u{2069}"#),
        ("\u{200e}\u{200f}\u{2028}\u{feff}", #"\u{200e}\u{200f}\u{2028}\u{feff}"#), ("\u{e0041}", #"\u{e0041}"#),
        (#"\x1b"# + "\u{1b}", #"\\x1b\x1b"#), (#"\"# + "\n" + #"\"#, #"\\\x0a\\"#),
    ])
    func text(_ text: String, _ expected: String) {
        #expect(printable(text) == expected)
        #expect(printable(Array(text.utf8)) == expected)
    }

    @Test(
        arguments: [
            ([0xff], #"\xff"#), ([0x61, 0xc3], #"a\xc3"#), ([0xc3, 0xbc, 0x80, 0xc3, 0xbc], #"ü\x80ü"#),
            ([0xed, 0xa0, 0x80], #"\xed\xa0\x80"#), ([0xc0, 0x8a], #"\xc0\x8a"#),
            ([0xf5, 0x80, 0x80, 0x80, 0x1b], #"\xf5\x80\x80\x80\x1b"#),
            ([0xe2, 0x0a, 0x9b], #"\xe2\x0a\x9b"#), ([0xc2, 0x9b], #"\u{009b}"#),
        ] as [([UInt8], String)]
    )
    func bytesThatAreNotUTF8(_ bytes: [UInt8], _ expected: String) {
        #expect(printable(bytes) == expected)
    }
}
