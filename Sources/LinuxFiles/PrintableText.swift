/// Names, paths and other bytes as text that a terminal shows and never obeys.
///
/// Text in UTF-8 stays as it is. Bytes that aren't UTF-8 and ASCII's control characters are escaped as `\xNN`. Other
/// characters that a terminal obeys, or that turn or hide the text beside them, are escaped as `\u{NNNN}`: C1 controls, line
/// and paragraph separators, and format characters such as U+202E, except the joiners U+200C and U+200D, which names in
/// several languages need. Where something is escaped, each backslash is doubled; text that needs no escape keeps single
/// ones, so a plain name can be copied from the output.
///
/// Source: Unicode's general categories Cc, Cf, Zl and Zp.
public func printable(_ bytes: some Sequence<UInt8>) -> String {
    let bytes = Array(bytes)
    if bytes.allSatisfy({ (0x20..<0x7f).contains($0) }) { return String(decoding: bytes, as: UTF8.self) }
    var text = ""
    var isEscaped = false
    var index = 0
    while index < bytes.count {
        guard let (scalar, length) = scalar(at: index, of: bytes) else {
            text += hexadecimalEscape(bytes[index])
            isEscaped = true
            index += 1
            continue
        }
        index += length
        if isHarmless(scalar) {
            text.unicodeScalars.append(scalar)
        } else {
            isEscaped = true
            text += escape(scalar)
        }
    }
    guard isEscaped, bytes.contains(UInt8(ascii: "\\")) else { return text }
    // A part between two backslashes is escaped by itself: no character of several bytes holds one.
    return bytes.split(separator: UInt8(ascii: "\\"), omittingEmptySubsequences: false)
        .map { printable($0) }.joined(separator: "\\\\")
}

/// As `printable(_:)` of the text's bytes.
public func printable(_ text: some StringProtocol) -> String { printable(text.utf8) }

/// - Returns: nil where the bytes are not a character in UTF-8.
private func scalar(at index: Int, of bytes: [UInt8]) -> (scalar: Unicode.Scalar, length: Int)? {
    let length =
        switch bytes[index] {
        case ..<0x80: 1
        case ..<0xe0: 2
        case ..<0xf0: 3
        default: 4
        }
    guard bytes.count - index >= length,
        let text = String(validating: bytes[index..<index + length], as: UTF8.self),
        let scalar = text.unicodeScalars.first
    else { return nil }
    return (scalar, length)
}

private func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: false
    case .format: scalar == "\u{200c}" || scalar == "\u{200d}"
    default: true
    }
}

private func escape(_ scalar: Unicode.Scalar) -> String {
    guard scalar.value >= 0x80 else { return hexadecimalEscape(UInt8(scalar.value)) }
    let digits = String(scalar.value, radix: 16)
    return "\\u{" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "}"
}

private func hexadecimalEscape(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return "\\x" + (digits.count < 2 ? "0" : "") + digits
}
