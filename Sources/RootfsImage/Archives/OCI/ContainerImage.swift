/// The one image of a layout that is asked for.
struct ContainerImage {
    /// `oci` or `docker`.
    var kind: SourceKind
    /// The lowest first; at least one.
    var layers: [ImageLayer]
    /// What the user may want to know of the choice; printable.
    var notices: [String] = []

    /// Finds it.
    /// - Returns: nil if this is no container image.
    /// - Throws: `badArchive` for an image that is not whole, and where the user has to choose.
    init?(_ files: any LayoutFiles, _ options: ImportOptions, _ cancellation: Cancellation) throws(ImageError) {
        let hasVersion = try files.exists("oci-layout")
        let hasIndex = try files.exists("index.json")
        // A new docker save has both.
        let isDocker = try files.exists("manifest.json")
        let isOCI = hasVersion && hasIndex
        if isOCI, options.kind != .docker {
            kind = .oci
            var layout = OCILayout(files, options, cancellation)
            layers = try layout.layers()
            notices = layout.notices
        } else if isDocker, options.kind != .oci {
            kind = .docker
            layers = try DockerLayout(files, options).layers()
        } else {
            if options.kind != .docker { try Self.refuseParts(of: files, hasVersion: hasVersion, hasIndex: hasIndex) }
            return nil
        }
        guard !layers.isEmpty else { throw .noLayers(files.name) }
    }

    /// An image of which the first document is missing would become a root filesystem of blobs.
    private static func refuseParts(
        of files: any LayoutFiles,
        hasVersion: Bool,
        hasIndex: Bool
    ) throws(ImageError) {
        let hasBlobs = try files.names(in: "blobs/sha256").contains(where: Digest.isDigits)
        if hasVersion || hasBlobs {
            throw .badImage(files.name, "there is no \(hasIndex ? "oci-layout" : "index.json") in it")
        }
        guard try files.exists("repositories") else { return }
        for name in try files.names(in: "") where Digest.isDigits(name) {
            guard try files.exists("\(name)/layer.tar") else { continue }
            throw .badImage(
                files.name,
                "there is no manifest.json in it, which docker save writes since version 1.10"
            )
        }
    }
}
