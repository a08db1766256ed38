internal import FakeRoot
internal import JSONText
internal import LinuxFiles

/// What `scripts/boot/rpi` has written into a boot directory about what it made it from.
public struct BootManifest: Hashable, Sendable {
    /// The file in the boot directory.
    public static let name = "usb9pfs-boot.json"

    /// The model or processor that it is for, such as "rpi4" or "bcm2711".
    public var model: String
    /// The kernel's version, such as "6.12.34+rpt-rpi-v8".
    public var kernel: String
    /// Where the kernel and its parts are from; nil for a kernel of the user's own.
    public var source: Source?

    /// A tree that boards mount, or an image for SD cards.
    public struct Source: Hashable, Sendable {
        /// Whether it was a tree. What an image has in its FAT partition need not be in a tree made from it.
        public var isTree: Bool
        /// Every kernel that it had, as paths relative to its root.
        public var kernels: [String]
        /// What the boot directory was made from.
        public var files: [File]
        /// What `scripts/boot/rpi` was told besides `--from` and the directory.
        public var arguments: [String]
    }

    /// A file that was used.
    public struct File: Hashable, Sendable {
        /// Relative to the root, such as "boot/vmlinuz-6.12.34".
        public var path: String
        /// Bytes.
        public var size: UInt64
        /// The SHA-256 of its content, in hexadecimal digits.
        public var sha256: String
    }

    /// Reads a manifest's text.
    /// - Returns: nil if it is something else.
    public init?(parsing text: [UInt8]) {
        guard let value = try? JSONValue(parsing: text), value["version"]?.integer == 1,
            let model = value["model"]?.string, let kernel = value["kernel"]?.string
        else { return nil }
        self.model = model
        self.kernel = kernel
        guard let from = value["from"] else { return }
        guard let source = Source(from) else { return nil }
        self.source = source
    }
}

extension BootManifest.Source {
    fileprivate init?(_ value: JSONValue) {
        guard let kind = value["kind"]?.string, let kernels = value["kernels"]?.array,
            let files = value["files"]?.array,
            let arguments = value["arguments"]?.array
        else { return nil }
        isTree = kind == "tree"
        self.kernels = kernels.compactMap(\.string)
        self.files = files.compactMap(BootManifest.File.init)
        self.arguments = arguments.compactMap(\.string)
        guard self.files.count == files.count, self.arguments.count == arguments.count else { return nil }
    }
}

extension BootManifest.File {
    fileprivate init?(_ value: JSONValue) {
        guard let path = value["path"]?.string, let size = value["bytes"]?.integer.flatMap(UInt64.init(exactly:)),
            let sha256 = value["sha256"]?.string
        else { return nil }
        self.init(path: path, size: size, sha256: sha256)
    }
}

extension BootDirectory {
    /// What the directory was made from; nil unless `scripts/boot/rpi` has made it.
    public var manifest: BootManifest? {
        guard let file = file(BootManifest.name), file.size < 4 << 20, let text = try? file.content() else {
            return nil
        }
        return BootManifest(parsing: text)
    }
}
