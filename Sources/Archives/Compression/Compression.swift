/// How an export is compressed.
public enum Compression: String, Hashable, Sendable, CaseIterable {
    case none
    case gzip
    case xz
    case zstd
    case bzip2

    /// What a file's name says: .gz, .tgz, .xz, .txz, .zst, .tzst, .bz2, .tbz2.
    package init(suffixOf name: String) {
        switch name.split(separator: ".").last?.lowercased() {
        case "gz", "tgz": self = .gzip
        case "xz", "txz": self = .xz
        case "zst", "tzst": self = .zstd
        case "bz2", "tbz2", "tbz": self = .bzip2
        default: self = .none
        }
    }

    /// The levels that can be chosen; the larger, the smaller the result and the longer it takes.
    public var levels: ClosedRange<Int>? {
        switch self {
        case .none: nil
        case .gzip, .bzip2: 1...9
        case .xz: 0...9
        case .zstd: 1...19
        }
    }
}
