package import ImageEntries

/// The one image of a layout that is asked for.
package struct ContainerImage {
    package enum Format: Sendable {
        /// The OCI image layout.
        case oci
        /// What `docker save` writes.
        case docker
    }

    /// What a user asks for; nil where any will do, as long as there is only one.
    package struct Request {
        package var format: Format?
        /// A tag, a reference, or "sha256:" and a digest.
        package var name: String?
        /// "OS/ARCHITECTURE" or "OS/ARCHITECTURE/VARIANT".
        package var platform: String?

        package init(format: Format? = nil, name: String? = nil, platform: String? = nil) {
            self.format = format
            self.name = name
            self.platform = platform
        }
    }

    package var format: Format
    /// The lowest first; at least one.
    package var layers: [ImageLayer]
    /// What the user may want to know of the choice; printable.
    package var notices: [String] = []

    /// Finds it.
    /// - Returns: nil if this is not a container image.
    /// - Throws: `badArchive` for an image that is not whole, and where the user has to choose.
    package init?(_ files: any LayoutFiles, _ request: Request, _ cancellation: Cancellation) throws(ImageError) {
        let hasVersion = try files.exists("oci-layout")
        let hasIndex = try files.exists("index.json")
        // A new docker save has both.
        let isDocker = try files.exists("manifest.json")
        let isOCI = hasVersion && hasIndex
        if isOCI, request.format != .docker {
            format = .oci
            var layout = OCILayout(files, request, cancellation)
            layers = try layout.layers()
            notices = layout.notices
        } else if isDocker, request.format != .oci {
            format = .docker
            layers = try DockerLayout(files, request).layers()
        } else {
            if request.format != .docker { try Self.refuseParts(of: files, hasVersion: hasVersion, hasIndex: hasIndex) }
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
