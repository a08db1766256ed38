internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// A number of 128 bits that depends on a tree's files, and on nothing else: FNV-1a. No protection against those who
/// look for two trees with the same one.
struct Fingerprint {
    private var state: UInt128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d
    private static let prime: UInt128 = 0x0000_0000_0100_0000_0000_0000_0000_013b

    private mutating func add(_ byte: UInt8) {
        state = (state ^ UInt128(byte)) &* Self.prime
    }

    private mutating func add(_ number: some FixedWidthInteger) {
        for shift in stride(from: 0, to: number.bitWidth, by: 8) { add(UInt8(truncatingIfNeeded: number >> shift)) }
    }

    mutating func add(_ bytes: [UInt8]) {
        add(UInt64(bytes.count))
        for byte in bytes { add(byte) }
    }

    mutating func add(_ entry: ImageEntry) {
        add(entry.path)
        switch entry.body {
        case .hardLink(let target), .symlink(let target): add(target)
        case .special(let kind): add(kind.encodedDevice)
        case .file, .directory: break
        }
        add(entry.kind?.format.rawValue ?? 0)
        add(entry.owner.uid)
        add(entry.owner.gid)
        add(entry.permissions)
        add(entry.size)
        add(entry.modificationTime?.seconds ?? 0)
        add(entry.modificationTime?.nanoseconds ?? 0)
        for attribute in entry.attributes {
            add(attribute.name)
            add(attribute.value)
        }
    }

    /// As a UUID of version 8, which is for such uses (RFC 9562).
    var uuid: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(state)
        bytes[6] = bytes[6] & 0x0f | 0x80
        bytes[8] = bytes[8] & 0x3f | 0x80
        return bytes
    }
}
