internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// SHA-256 digests as the documents of container images write them.
enum Digest {
    private static let prefix = "sha256:"

    /// The 64 digits of "sha256:...".
    /// - Throws: `badArchive` for another algorithm, and for a malformed digest.
    static func digits(of digest: String, _ image: String) throws(ImageError) -> String {
        let digits = digest.dropFirst(prefix.count)
        guard digest.hasPrefix(prefix), isDigits(String(digits)) else {
            for other in ["sha512:", "sha384:", "blake3:"] where digest.hasPrefix(other) {
                throw .badImage(image, "\(printable(digest.utf8)) is of a kind that can't be verified, SHA-256 is")
            }
            throw .badImage(image, "\(printable(digest.utf8)) is not a SHA-256 digest")
        }
        return String(digits)
    }

    /// Whether this is 64 lower-case hexadecimal digits.
    static func isDigits(_ text: String) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    static func check(_ bytes: [UInt8], _ digits: String, _ what: String, _ image: String) throws(ImageError) {
        try compare(SHA256.hash(bytes.span.bytes), digits, what, image)
    }

    static func compare(_ hash: [UInt8], _ digits: String, _ what: String, _ image: String) throws(ImageError) {
        let found = SHA256.text(hash)
        guard found == digits else {
            throw .badImage(image, "\(what) has the digest sha256:\(found) and not sha256:\(digits)")
        }
    }
}
