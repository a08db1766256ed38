internal import LinuxFiles

/// A header block of a tar archive, 512 bytes in the ustar format, and the extended header in front of it for what has no
/// room there.
///
/// Source: POSIX.1-2017, `pax`, "pax Interchange Format". libarchive is not used: it always writes the host's inode and device
/// number, as keys of which GNU tar warns, and outside of the C locale it converts names.
struct TarHeader {
    /// The typeflag.
    enum Kind: UInt8 {
        case file = 0x30
        case hardLink = 0x31
        case symlink = 0x32
        case character = 0x33
        case block = 0x34
        case directory = 0x35
        case pipe = 0x36
        case extended = 0x78
    }

    static let blockSize: UInt64 = 512

    var path: [UInt8]
    var kind: Kind
    var permissions: UInt32
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    /// Bytes of content that follow the header.
    var size: UInt64 = 0
    var time = FileTime(seconds: 0, nanoseconds: 0)
    var linkTarget: [UInt8] = []
    var deviceMajor: UInt32 = 0
    var deviceMinor: UInt32 = 0
    /// Records for the extended header, besides those that the fields need.
    var records = PaxRecords()

    /// The blocks to be written before the content.
    func blocks() -> [UInt8] {
        var records = records
        var block = UstarBlock()
        block.set(.mode, octal: UInt64(permissions))
        block.setNumber(.uid, UInt64(uid), orRecord: "uid", &records)
        block.setNumber(.gid, UInt64(gid), orRecord: "gid", &records)
        block.setNumber(.size, size, orRecord: "size", &records)
        if let seconds = UInt64(exactly: time.seconds), block.fits(.time, seconds) { block.set(.time, octal: seconds) }
        if time.nanoseconds != 0 || time.seconds < 0 || !block.fits(.time, UInt64(time.seconds)) {
            records.add("mtime", Array(Self.text(time).utf8))
        }
        if !block.setPath(path) || !Self.isASCII(path) { records.add(text: "path", path) }
        if linkTarget.count > UstarBlock.Field.linkTarget.range.count || !Self.isASCII(linkTarget) {
            records.add(text: "linkpath", linkTarget)
        }
        block.set(.linkTarget, linkTarget)
        if kind == .block || kind == .character {
            block.set(.deviceMajor, octal: UInt64(deviceMajor))
            block.set(.deviceMinor, octal: UInt64(deviceMinor))
        }
        block.set(.kind, [kind.rawValue])
        let own = block.sealed()
        return records.isEmpty ? own : extendedHeader(records.bytes) + own
    }

    private func extendedHeader(_ records: [UInt8]) -> [UInt8] {
        var block = UstarBlock()
        let slash = path.lastIndex(of: UInt8(ascii: "/"))
        let name = path[(slash.map { $0 + 1 } ?? 0)...]
        // Only a tar of before 2001 looks at it, and makes a file of it.
        block.set(.path, Array(("./PaxHeaders/".utf8 + name).prefix(UstarBlock.Field.path.range.count)))
        block.set(.mode, octal: 0o644)
        block.set(.uid, octal: 0)
        block.set(.gid, octal: 0)
        block.set(.size, octal: UInt64(records.count))
        block.set(.time, octal: 0)
        block.set(.kind, [Kind.extended.rawValue])
        let padding = (512 - records.count % 512) % 512
        return block.sealed() + records + [UInt8](repeating: 0, count: padding)
    }

    private static func isASCII(_ bytes: [UInt8]) -> Bool { bytes.allSatisfy { $0 < 0x80 } }

    /// Seconds since 1970 as a decimal number, exact.
    private static func text(_ time: FileTime) -> String {
        // 1.25 s before 1970 is -2 s and 0.75 s in a FileTime.
        let isNegative = time.seconds < 0
        let hasFraction = time.nanoseconds > 0
        let seconds = isNegative && hasFraction ? time.seconds + 1 : time.seconds
        let nanoseconds = isNegative && hasFraction ? 1_000_000_000 - time.nanoseconds : time.nanoseconds
        let text = (isNegative ? "-" : "") + String(seconds.magnitude)
        guard hasFraction else { return text }
        var digits = String(nanoseconds)
        digits = String(repeating: "0", count: 9 - digits.utf8.count) + digits
        while digits.last == "0" { digits.removeLast() }
        return text + "." + digits
    }
}
