internal import ImageEntries
internal import LinuxFiles

/// Reads numbers and words from text of another tool's, byte by byte.
struct ByteScanner {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: some Collection<UInt8>) {
        rest = Array(bytes)[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    /// All that has not been read yet.
    var remaining: ArraySlice<UInt8> { rest }

    mutating func take(_ text: StaticString) -> Bool {
        let text = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard rest.starts(with: text) else { return false }
        rest = rest.dropFirst(text.count)
        return true
    }

    /// A number of digits only.
    /// - Returns: nil if there is none, or it doesn't fit.
    mutating func takeNumber<Number: FixedWidthInteger>(_: Number.Type = Number.self, radix: Number = 10) -> Number? {
        var value: Number = 0
        var digits = 0
        while let byte = rest.first, let digit = Self.digit(byte), digit < radix {
            let (product, over) = value.multipliedReportingOverflow(by: radix)
            let (sum, over2) = product.addingReportingOverflow(Number(digit))
            guard !over, !over2 else { return nil }
            value = sum
            digits += 1
            rest.removeFirst()
        }
        return digits > 0 ? value : nil
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    /// A word up to the next blank; blanks before it are skipped. Nil at the end.
    mutating func takeWord() -> ArraySlice<UInt8>? {
        rest = rest.drop { Self.isBlank($0) }
        guard !rest.isEmpty else { return nil }
        let word = rest.prefix { !Self.isBlank($0) }
        rest = rest.dropFirst(word.count)
        return word
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
    }
}

/// Opens a regular file to read; nothing else is opened at all, for opening a device or a FIFO does something.
func openRegularFile(_ held: CInt) throws(Errno) -> OwnedDescriptor {
    guard try System.status(of: held).format == .regular else { throw .EINVAL }
    return try DescriptorPath(held).withCString { (path) throws(Errno) in
        try System.open(at: System.atCurrentDirectory, path, [.readOnly, .nonBlocking, .noControllingTerminal])
    }
}

/// A whole file of metadata.
/// - Throws: `badArchive` beyond `limit` bytes, and unless it is a regular file.
func readMetadataFile(_ path: String, limit: UInt64 = 256 << 20) throws(ImageError) -> [UInt8] {
    let held = try ImageError.attempt("can't open \(path)") { () throws(Errno) in try System.open(path, .path) }
    return try readMetadata(heldBy: held.raw, path, limit: limit)
}

/// - Parameters:
///   - held: O_PATH.
///   - name: for error messages.
func readMetadata(heldBy held: CInt, _ name: String, limit: UInt64) throws(ImageError) -> [UInt8] {
    let file: OwnedDescriptor
    do throws(Errno) {
        file = try openRegularFile(held)
    } catch .EINVAL {
        throw ImageError(.badArchive, "\(name) is not a regular file")
    } catch {
        throw ImageError("can't open \(name)", error)
    }
    return try readMetadata(file.raw, name, limit: limit)
}

/// The size of a regular file, in bytes.
/// - Throws: `badArchive` beyond `limit` bytes, and unless it is a regular file.
func regularSize(of descriptor: CInt, _ name: String, limit: UInt64) throws(ImageError) -> UInt64 {
    let status = try ImageError.attempt("can't read \(name)") { () throws(Errno) in try System.status(of: descriptor) }
    guard status.format == .regular else { throw ImageError(.badArchive, "\(name) is not a regular file") }
    guard status.size <= limit else {
        throw ImageError(.badArchive, "\(name) is too large: \(status.size) bytes, and at most \(limit) make sense")
    }
    return status.size
}

/// - Parameter name: for error messages.
func readMetadata(_ descriptor: CInt, _ name: String, limit: UInt64) throws(ImageError) -> [UInt8] {
    let size = try regularSize(of: descriptor, name, limit: limit)
    var content = [UInt8](repeating: 0, count: Int(size))
    let count = try ImageError.attempt("can't read \(name)") { () throws(Errno) in
        try content.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
            try System.read(descriptor, into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
    }
    content.removeLast(content.count - count)
    return content
}
