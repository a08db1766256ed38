internal import Archives
internal import LinuxFiles

/// What platform a tree is for, by its programs.
extension Platform {
    /// Looks at programs that a root filesystem is likely to have.
    /// - Parameter root: the tree's root.
    /// - Returns: nil if there is none of them.
    static func guess(from root: CInt) -> Platform? {
        let programs = ["bin/sh", "sbin/init", "usr/bin/env", "usr/lib/systemd/systemd", "lib/libc.so.6"]
        let loaders = ["lib", "lib64", "usr/lib", "usr/lib64"].flatMap { directory in
            names(in: directory, of: root).filter { $0.hasPrefix("ld-") }.sorted().map { "\(directory)/\($0)" }
        }
        for path in programs + loaders {
            if let header = beginning(of: path, in: root), let platform = Platform(programHeader: header) {
                return platform
            }
        }
        return nil
    }

    private static func names(in path: String, of root: CInt) -> [String] {
        guard let directory = try? System.open(inRoot: root, path, [.readOnly, .directory]),
            let names = try? System.names(in: directory.raw)
        else { return [] }
        return names.compactMap { String(validating: $0, as: UTF8.self) }
    }

    private static func beginning(of path: String, in root: CInt) -> [UInt8]? {
        guard let file = try? System.open(inRoot: root, path, [.readOnly, .nonBlocking, .noControllingTerminal]),
            (try? System.status(of: file.raw).format) == .regular
        else { return nil }
        var header = [UInt8](repeating: 0, count: 64)
        let count = try? header.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
            try System.read(file.raw, into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        return count == header.count ? header : nil
    }

    /// Reads the header of an ELF file, 64 bytes; nil for other files and for machines that Go doesn't know.
    ///
    /// Source: `elf(5)`; e_machine at 18, e_flags at 36 or 48.
    init?(programHeader header: [UInt8]) {
        guard header.count >= 64, header.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else { return nil }
        let is64Bit = header[4] == 2
        let isLittle = header[5] == 1
        func number(at offset: Int, count: Int) -> UInt32 {
            let bytes = header[offset..<offset + count]
            return (isLittle ? Array(bytes.reversed()) : Array(bytes)).reduce(0) { $0 << 8 | UInt32($1) }
        }
        let hardFloat: UInt32 = 0x400
        switch number(at: 18, count: 2) {
        case 3: self.init(architecture: "386")
        case 62: self.init(architecture: "amd64")
        case 183 where isLittle: self.init(architecture: "arm64")
        case 40 where isLittle:
            // Armhf is ARMv7, or ARMv6 on the first Raspberry Pi; the header doesn't say.
            let flags = number(at: 36, count: 4)
            self.init(architecture: "arm", variant: flags & hardFloat != 0 ? "v7" : "v5")
        case 8: self.init(architecture: (is64Bit ? "mips64" : "mips") + (isLittle ? "le" : ""))
        case 21: self.init(architecture: isLittle ? "ppc64le" : "ppc64")
        case 22 where is64Bit: self.init(architecture: "s390x")
        case 243 where is64Bit: self.init(architecture: "riscv64")
        case 258 where is64Bit: self.init(architecture: "loong64")
        default: return nil
        }
    }
}
