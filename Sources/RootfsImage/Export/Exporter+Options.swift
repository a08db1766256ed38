public import Archives

extension Exporter {
    /// What to make, and how.
    public struct Options: Sendable {
        /// Nil to go by the target's name.
        public var kind: TargetKind?
        /// Nil to go by the target's name; squashfs has zstd then, OCI layers gzip.
        public var compression: Compression?
        /// Nil for the compression's usual level.
        public var level: Int?
        /// Whether a target that is there already is replaced.
        public var replacesTarget = false
        /// Whether it is an error that the format can't hold something of the tree.
        public var isStrict = false
        /// Whether a directory with another tool's metadata is taken for what the host's files say.
        public var acceptsForeignDirectory = false
        /// See `Exclusions`.
        public var exclusions: [String] = []
        /// Seconds since 1970: no file's modification time is later, and it is the time of making where a format has
        /// one. Nil for the files' own times, and 1970 for the time of making.
        public var sourceDateEpoch: Int64?
        /// OCI: "OS/ARCHITECTURE" or "OS/ARCHITECTURE/VARIANT"; nil to look at a program of the tree.
        public var platform: String?
        /// OCI: the image's name in the layout, `org.opencontainers.image.ref.name`; nil for "latest".
        public var imageName: String?
        /// ext4: bytes of the image; nil for what the files need and some more.
        public var imageSize: UInt64?
        /// ext4: the volume's label.
        public var volumeLabel = ""
        /// ext4: the volume's UUID, 16 bytes; nil for one that depends on what is in the tree.
        public var volumeUUID: [UInt8]?

        /// A kind by the target's name, with its defaults.
        public init() {}
    }
}
