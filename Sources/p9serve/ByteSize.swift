import ArgumentParser

/// A number of bytes as people write it: 512K, 900M, 2G; K is 1024.
struct ByteSize: ExpressibleByArgument {
    let bytes: UInt64

    init?(argument: String) {
        var digits = Substring(argument)
        var shift: UInt64 = 0
        if let last = digits.last?.uppercased(), let index = ["K", "M", "G", "T"].firstIndex(of: last) {
            shift = UInt64(10 * (index + 1))
            digits.removeLast()
        }
        guard let number = UInt64(digits), number > 0, (number << shift) >> shift == number else { return nil }
        bytes = number << shift
    }
}
