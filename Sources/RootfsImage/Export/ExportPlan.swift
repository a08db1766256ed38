internal import Archives
internal import ImageEntries
internal import LinuxFiles

/// What an export makes of its options and the target's name, which are checked to fit together.
struct ExportPlan {
    let kind: TargetKind
    let compression: Compression

    /// - Throws: `badDestination` for a name that doesn't say what to make, and for options that can't have the effect they
    ///   are meant to have.
    init(_ options: Exporter.Options, target: String) throws(ImageError) {
        guard let kind = options.kind ?? TargetKind(nameOf: target) else {
            throw ImageError(
                .badDestination,
                "the name \(ShellWord(target)) doesn't say what to make",
                hint: "Let it end in one of these, or use --to KIND:\n\(TargetKind.list)"
            )
        }
        guard target != "-" || kind.canBeStreamed else {
            throw ImageError(
                .badDestination,
                "\(kind.rawValue) can't be written to standard output: it is not made from its beginning to its end",
                hint: "Name a file."
            )
        }
        self.kind = kind
        compression = options.compression ?? Self.usualCompression(of: kind, target)
        try check(options, target)
    }

    /// An image layout, or a tar file of one.
    var isOCI: Bool { kind == .oci || kind == .ociArchive }

    private static func usualCompression(of kind: TargetKind, _ target: String) -> Compression {
        switch kind {
        case .tar, .cpio: Compression(suffixOf: target)
        case .squashfs: .zstd
        case .oci, .ociArchive: .gzip
        case .ext4: .none
        }
    }

    /// A platform fits every kind of target, so it is never refused.
    private func check(_ options: Exporter.Options, _ target: String) throws(ImageError) {
        let isExt4 = kind == .ext4
        let misplaced: [(option: String, isMisplaced: Bool, purpose: String)] = [
            ("--size", options.imageSize != nil && !isExt4, "an ext4 image"),
            ("--label", !options.volumeLabel.isEmpty && !isExt4, "an ext4 image"),
            ("--uuid", options.volumeUUID != nil && !isExt4, "an ext4 image"),
            ("--image", options.imageName != nil && !isOCI, "an OCI image"),
            ("--compress", isExt4 && compression != .none, "what can be compressed"),
            ("--level", options.level != nil && compression == .none, "what is compressed"),
        ]
        if let (option, _, purpose) = misplaced.first(where: \.isMisplaced) {
            let made = compression == .none && !isExt4 ? "\(kind.rawValue) without compression" : kind.rawValue
            throw ImageError(
                .badDestination,
                "\(option) is for \(purpose); \(ShellWord(target)) is to be \(made)",
                hint: "Leave it out, or choose what to make: --to KIND, --compress METHOD."
            )
        }
        if let level = options.level, let levels = compression.levels, !levels.contains(level) {
            throw ImageError(
                .badDestination,
                "\(compression.rawValue) has no level \(level)",
                hint: "Its levels are \(levels.lowerBound) to \(levels.upperBound)."
            )
        }
    }
}
