/// Whether a tar archive may hold a container image instead of a root filesystem.
package enum LayoutSignature {
    /// Looks at the name of the first entry that says something.
    ///
    /// Only "may": the archive's content decides. A root filesystem has no such names in its root.
    /// - Parameter bytes: the beginning of the archive, decompressed.
    package static func isLikely(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        while offset + 512 <= bytes.count {
            let header = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + 512])
            var name = Array(header[..<100].prefix { $0 != 0 })
            if name.starts(with: "./".utf8) { name.removeFirst(2) }
            let type = header[156]
            // The root itself, and pax headers: the next tells more.
            guard name.isEmpty || name == Array(".".utf8) || [0x78, 0x67].contains(type) else {
                return isLayoutName(name)
            }
            let size = header[124..<135].reduce(0) { sum, byte in
                (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(byte) ? sum &* 8 &+ Int(byte & 7) : sum
            }
            guard size >= 0, size < bytes.count else { return false }
            offset += 512 + (size + 511) / 512 * 512
        }
        return false
    }

    private static func isLayoutName(_ name: [UInt8]) -> Bool {
        let text = String(decoding: name, as: UTF8.self)
        if ["oci-layout", "index.json", "manifest.json", "repositories", "blobs", "blobs/"].contains(text) {
            return true
        }
        if text.hasPrefix("blobs/sha256") { return true }
        // What crane and kaniko call an image's configuration.
        if text.hasPrefix("sha256:"), Digest.isDigits(String(text.dropFirst(7))) { return true }
        // "<64 digits>/", "<64 digits>.json", "<64 digits>.tar", "<64 digits>/layer.tar"
        let digits = name.prefix { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        return digits.count == 64 && (name.count == 64 || [0x2e, 0x2f].contains(name[64]))
    }
}
