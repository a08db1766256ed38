/// Bytes from hexadecimal digits; blanks, line ends and comments from "#" to the line's end don't count.
///
/// Stops the test on anything else: a golden frame with a typing error must not pass for a short one.
public func hex(_ text: String) -> [UInt8] {
    var digits: [UInt8] = []
    for line in text.split(separator: "\n") {
        for character in line.prefix(while: { $0 != "#" }) where !character.isWhitespace {
            guard let digit = character.hexDigitValue else {
                preconditionFailure("not a hexadecimal digit: \(character)")
            }
            digits.append(UInt8(digit))
        }
    }
    precondition(digits.count % 2 == 0, "half a byte is left over")
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// Hexadecimal digits, two for each byte, in groups of four bytes.
public func hex(_ bytes: [UInt8]) -> String {
    var text = ""
    for (index, byte) in bytes.enumerated() {
        if index > 0, index % 4 == 0 { text += " " }
        text += byte < 16 ? "0" : ""
        text += String(byte, radix: 16)
    }
    return text
}

/// An integer as it stands in a 9P message.
public func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// A string as it stands in a 9P message: its length in 2 bytes, then its bytes.
public func wireString(_ text: String) -> [UInt8] { wireString(Array(text.utf8)) }

public func wireString(_ bytes: [UInt8]) -> [UInt8] { littleEndian(UInt16(bytes.count)) + bytes }

/// A whole 9P message from its body.
public func frame(_ type: UInt8, tag: UInt16, _ body: [UInt8] = []) -> [UInt8] {
    littleEndian(UInt32(7 + body.count)) + [type] + littleEndian(tag) + body
}
