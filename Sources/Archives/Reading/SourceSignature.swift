internal import LinuxFiles

/// What the first bytes of a file, decompressed or not, tell of its format.
package enum SourceSignature: Hashable {
    case tar
    case cpio
    case squashfs
    /// An ext2, ext3 or ext4 file system.
    case ext4
    /// A disk with a partition table.
    case disk
    /// Something that we know but can't import, to go after "this is".
    case other(String)
    case unknown

    /// Recognizes a format by a file's first bytes.
    /// - Parameter bytes: 4,096 or more, if there are so many.
    package init(_ bytes: UnsafeRawBufferPointer) {
        self = Self.fileSystem(bytes) ?? Self.archive(bytes) ?? Self.disk(bytes) ?? Self.other(bytes) ?? .unknown
    }

    /// To go after "this is"; nil for what nobody recognizes.
    package var description: String? {
        switch self {
        case .tar: "a tar archive"
        case .cpio: "a cpio archive"
        case .squashfs: "a squashfs image"
        case .ext4, .disk: "an ext2, ext3 or ext4 image, or a disk image"
        case .other(let text): text
        case .unknown: nil
        }
    }

    private static func has(_ text: StaticString, at offset: Int, in bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= offset + text.utf8CodeUnitCount else { return false }
        let expected = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        return bytes[offset..<offset + expected.count].elementsEqual(expected)
    }

    private static func has(_ expected: [UInt8], at offset: Int, in bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= offset + expected.count && bytes[offset..<offset + expected.count].elementsEqual(expected)
    }

    private static func fileSystem(_ bytes: UnsafeRawBufferPointer) -> SourceSignature? {
        if has("hsqs", at: 0, in: bytes) { return .squashfs }
        // The magic number, and a block size of at most 64 KiB: two bytes alone are too easily something else.
        if has([0x53, 0xef], at: 1080, in: bytes), bytes[1024 + 24] <= 6, has([0, 0, 0], at: 1024 + 25, in: bytes) {
            return .ext4
        }
        return nil
    }

    private static func archive(_ bytes: UnsafeRawBufferPointer) -> SourceSignature? {
        for magic: StaticString in ["070701", "070702", "070707"] where has(magic, at: 0, in: bytes) { return .cpio }
        // The old binary form, in both byte orders.
        if has([0xc7, 0x71], at: 0, in: bytes) || has([0x71, 0xc7], at: 0, in: bytes) { return .cpio }
        return isTar(bytes) ? .tar : nil
    }

    /// The header's checksum is right, or there is nothing but the end mark.
    private static func isTar(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= 512 else { return false }
        let header = UnsafeRawBufferPointer(rebasing: bytes[..<512])
        if header.allSatisfy({ $0 == 0 }) { return true }
        var expected = 0
        for byte in header[148..<156] {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "7"): expected = expected * 8 + Int(byte - UInt8(ascii: "0"))
            case 0, UInt8(ascii: " "): continue
            default: return false
            }
        }
        // The checksum itself counts as blanks; old programs added signed bytes.
        let field = 148..<156
        let unsigned = header.indices.reduce(0) { $0 + (field.contains($1) ? 32 : Int(header[$1])) }
        let signed = header.indices.reduce(0) { $0 + (field.contains($1) ? 32 : Int(Int8(bitPattern: header[$1]))) }
        return expected == unsigned || expected == signed
    }

    private static func disk(_ bytes: UnsafeRawBufferPointer) -> SourceSignature? {
        let isGPT = has("EFI PART", at: 512, in: bytes) || has("EFI PART", at: 4096, in: bytes)
        return isGPT || has([0x55, 0xaa], at: 510, in: bytes) ? .disk : nil
    }

    /// What bytes that don't belong there are, to go after "there is".
    static func describe(_ bytes: UnsafeRawBufferPointer) -> String {
        if let format = CompressedFormat(bytes) { return "\(format.rawValue)-compressed data" }
        if let text = SourceSignature(bytes).description { return text }
        let head = bytes.prefix(16)
        if head.allSatisfy({ (0x20..<0x7f).contains($0) || (9...13).contains($0) }) {
            let line = head.prefix { $0 >= 0x20 }
            return "text that begins with \"\(printable(Array(line)))\""
        }
        let digits = head.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        return "unknown data that begin with the bytes \(digits.joined(separator: " "))"
    }

    private static func other(_ bytes: UnsafeRawBufferPointer) -> SourceSignature? {
        let known: [(StaticString, String)] = [
            ("PK\u{3}\u{4}", "a ZIP archive"), ("7z", "a 7-Zip archive"),
            ("!<arch>\n", "a Debian package or ar archive"),
            ("\u{7f}ELF", "a program"), ("QFI", "a QEMU disk image (qcow2)"), ("XFSB", "an XFS image"),
            ("UBI#", "a UBI image"), ("sqsh", "an old squashfs image"), ("Rar!", "a RAR archive"),
            ("<!DOCTYPE", "a web page"), ("<!doctype", "a web page"), ("<html", "a web page"), ("<HTML", "a web page"),
            ("<?xml", "an XML text"), ("HTTP/1.", "the reply of a web server"),
            ("ANDROID!", "an Android boot image"), ("AVB0", "Android's verified-boot data"),
            ("verity\u{0}\u{0}", "dm-verity's hashes"), ("-rom1fs-", "a romfs image"),
            ("-----BEGIN PGP SIGNED", "a text signed with PGP"), ("-----BEGIN PGP SIGNATURE", "a PGP signature"),
            ("-----BEGIN PGP MESSAGE", "data encrypted with PGP"), ("-----BEGIN SSH SIGNATURE", "an SSH signature"),
            ("-----BEGIN ", "a key, certificate or signature (PEM)"),
            ("untrusted comment:", "a signature of signify or minisign"),
            ("~Module signature appended~", "a signature"),
            ("age-encryption.org", "data encrypted with age"), ("LUKS", "an encrypted disk (LUKS)"),
        ]
        for (magic, text) in known where has(magic, at: 0, in: bytes) { return .other(text) }
        if has([0x89, 0x4c, 0x5a, 0x4f, 0x00], at: 0, in: bytes) { return .other("lzop-compressed data") }
        if has([0x27, 0x05, 0x19, 0x56], at: 0, in: bytes) { return .other("a U-Boot image") }
        if has([0xd0, 0x0d, 0xfe, 0xed], at: 0, in: bytes) { return .other("a device tree or FIT image") }
        // A signature packet, of the old form with two bytes of length or of the new form, version 4.
        if has([0x89], at: 0, in: bytes), bytes.count > 3, bytes[1] < 8, bytes[3] == 4 {
            return .other("a PGP signature")
        }
        if has([0xc2], at: 0, in: bytes), bytes.count > 3, bytes[2...3].contains(4) { return .other("a PGP signature") }
        if has([0xe2, 0xe1, 0xf5, 0xe0], at: 1024, in: bytes) { return .other("an EROFS image") }
        if has([0x31, 0x18, 0x10, 0x06], at: 0, in: bytes) { return .other("a UBIFS image") }
        if has([0xed, 0xab, 0xee, 0xdb], at: 0, in: bytes) { return .other("an RPM package") }
        if has([0x85, 0x19], at: 0, in: bytes) { return .other("a JFFS2 image") }
        if has([0x45, 0x3d, 0xcd, 0x28], at: 0, in: bytes) { return .other("a cramfs image") }
        return nil
    }
}
