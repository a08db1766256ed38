internal import FakeRoot
public import LinuxFiles

/// What of a tree no longer is what a boot directory was made from: after an upgrade on the board, for example.
public struct TreeChanges: Hashable, Sendable {
    /// Kernels that the tree did not have then.
    public var newKernels: [String]
    /// Files with another content.
    public var changed: [String]
    /// Files that are not there any more.
    public var gone: [String]

    /// Whether the boot directory still fits.
    public var isEmpty: Bool { newKernels.isEmpty && changed.isEmpty && gone.isEmpty }

    /// Where kernels are, in a tree.
    private static let kernelDirectories = [firmware, "boot"]
    /// Where boards have the FAT partition of their SD card mounted.
    private static let firmware = "boot/firmware"

    init(newKernels: [String] = [], changed: [String] = [], gone: [String] = []) {
        self.newKernels = newKernels
        self.changed = changed
        self.gone = gone
    }

    /// Compares.
    /// - Parameter tree: the tree's root. Its symbolic links are followed as on the board: they stay within.
    public init(since source: BootManifest.Source, in tree: borrowing OwnedDescriptor) {
        self.init()
        for file in source.files {
            switch Self.state(of: file, in: tree) {
            case .same: break
            case .changed: changed.append(file.path)
            // An image's FAT partition has no place in a tree.
            case .gone: if source.isTree || !file.path.hasPrefix(Self.firmware + "/") { gone.append(file.path) }
            }
        }
        newKernels = Self.kernels(in: tree).filter { !source.kernels.contains($0) }
    }

    private enum State {
        case same
        case changed
        case gone
    }

    private static func state(of file: BootManifest.File, in tree: borrowing OwnedDescriptor) -> State {
        do throws(Errno) {
            let opened = try System.open(
                inRoot: tree.raw,
                file.path,
                [.readOnly, .nonBlocking, .noControllingTerminal]
            )
            let status = try System.status(of: opened.raw)
            guard status.format == .regular, status.size == file.size else { return .changed }
            return SHA256.text(try SHA256.hash(contentOf: opened.raw)) == file.sha256 ? .same : .changed
        } catch {
            return error == .ENOENT || error == .ENOTDIR ? .gone : .changed
        }
    }

    /// The rule of `scripts/boot/lib/stock_kernel.py`.
    private static func kernels(in tree: borrowing OwnedDescriptor) -> [String] {
        var found: [String] = []
        for directory in kernelDirectories {
            guard let opened = try? System.open(inRoot: tree.raw, directory, [.readOnly, .directory]),
                let names = try? System.names(in: opened.raw)
            else { continue }
            for name in names.map({ String(decoding: $0, as: UTF8.self) }).sorted() where isKernel(name) {
                let status = name.withCString { try? System.status(at: opened.raw, $0) }
                if status?.format == .regular { found.append("\(directory)/\(name)") }
            }
        }
        return found
    }

    private static func isKernel(_ name: String) -> Bool {
        name.utf8.allSatisfy(isPlain)
            && (name.hasPrefix("vmlinuz-") || name.hasPrefix("kernel") && name.hasSuffix(".img"))
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "_.+~,@-".utf8.contains(byte)
        }
    }
}
