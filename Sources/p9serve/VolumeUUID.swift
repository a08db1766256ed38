import ArgumentParser

/// A UUID as people write it: 32 hexadecimal digits, with hyphens between or without.
struct VolumeUUID: ExpressibleByArgument {
    /// 16.
    let bytes: [UInt8]

    init?(argument: String) {
        let digits = argument.filter { $0 != "-" }.map(\.hexDigitValue)
        guard digits.count == 32, argument.count == 32 || argument.count == 36 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: 32, by: 2) {
            guard let high = digits[index], let low = digits[index + 1] else { return nil }
            bytes.append(UInt8(high << 4 | low))
        }
        self.bytes = bytes
    }
}
