public import LinuxFiles

/// What the board takes a file for.
public enum NodeKind: Hashable, Sendable {
    case file
    case directory
    case symlink
    case pipe
    case socket
    case block(major: UInt32, minor: UInt32)
    case character(major: UInt32, minor: UInt32)

    /// The kind of a file by its format; device numbers count for devices only.
    /// - Parameter format: the S_IFMT bits; nil results for what is none of the seven.
    public init?(_ format: FileFormat, major: UInt32 = 0, minor: UInt32 = 0) {
        switch format {
        case .regular: self = .file
        case .directory: self = .directory
        case .symlink: self = .symlink
        case .fifo: self = .pipe
        case .socket: self = .socket
        case .block: self = .block(major: major, minor: minor)
        case .character: self = .character(major: major, minor: minor)
        default: return nil
        }
    }

    /// What the host's own file is; a device node of the host's keeps its number.
    init(host: FileStatus) {
        let (major, minor) = System.deviceNumbers(host.rawDevice)
        self = NodeKind(host.format, major: major, minor: minor) ?? .file
    }

    /// The S_IFMT bits of the board's mode.
    public var format: FileFormat {
        switch self {
        case .file: .regular
        case .directory: .directory
        case .symlink: .symlink
        case .pipe: .fifo
        case .socket: .socket
        case .block: .block
        case .character: .character
        }
    }

    /// Whether the host keeps this as an empty regular file with a label.
    public var isSpecial: Bool {
        switch self {
        case .file, .directory, .symlink: false
        case .pipe, .socket, .block, .character: true
        }
    }

    /// Whether a device node, FIFO or socket is harmless in everybody's hands; Linux gives such devices mode 0666.
    ///
    /// Source: the kernel's `Documentation/admin-guide/devices.txt`.
    public var isForEverybody: Bool {
        switch self {
        case .pipe, .socket: true
        case .character(major: 1, let minor): [3, 5, 7, 8, 9].contains(minor)  // null, zero, full, random, urandom
        case .character(major: 5, let minor): minor == 0 || minor == 2  // tty, ptmx
        case .character(major: 10, let minor): minor == 200 || minor == 229  // net/tun, fuse
        default: false
        }
    }

    /// Whether Linux has such a device number: 12 bits of major number and 20 of minor.
    var isPossible: Bool {
        switch self {
        case .block(let major, let minor), .character(let major, let minor): major < 1 << 12 && minor < 1 << 20
        default: true
        }
    }

    /// The number of the device node, packed as the kernel's `new_encode_dev` does; 0 for all else.
    public var encodedDevice: UInt64 {
        switch self {
        case .block(let major, let minor), .character(let major, let minor):
            UInt64(minor & 0xff | major << 8 | (minor & ~0xff) << 12)
        default: 0
        }
    }
}
