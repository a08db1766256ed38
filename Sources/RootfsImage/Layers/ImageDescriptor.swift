/// A reference to a document or layer of an OCI image.
///
/// Source: the OCI image specification, "OCI Content Descriptors".
struct ImageDescriptor: Hashable {
    var mediaType: String
    /// 64 digits of SHA-256.
    var digest: String
    var size: UInt64
    /// Nil if it doesn't say.
    var platform: Platform?
    var annotations: [String: String]

    /// - Parameter image: what messages call the image.
    init(_ document: JSONDocument, image: String) throws(ImageError) {
        guard let digest = document["digest"]?.string, let size = document["size"]?.integer, size >= 0 else {
            throw .badImage(image, "a descriptor has no digest or no size")
        }
        self.digest = try Digest.digits(of: digest, image)
        self.size = UInt64(size)
        mediaType = document["mediaType"]?.string ?? ""
        platform = document["platform"].flatMap(Platform.init(document:))
        annotations = (document["annotations"]?.object ?? [:]).compactMapValues(\.string)
    }

    /// Where the layout has it.
    var path: String { "blobs/sha256/\(digest)" }

    var isIndex: Bool {
        [
            "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
        ].contains(mediaType)
    }

    var isManifest: Bool {
        [
            "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
        ].contains(mediaType)
    }

    /// Whether it tells about another image, as build tools' attestations do, and is none itself.
    var isAttestation: Bool {
        annotations["vnd.docker.reference.type"] != nil || platform?.system == "unknown"
    }

    /// What the layout calls the image: references, from the most to the least precise.
    var names: [String] {
        ["io.containerd.image.name", "org.opencontainers.image.ref.name"].compactMap { annotations[$0] }
    }
}

extension Platform {
    /// - Parameter document: with "os", "architecture" and perhaps "variant": a descriptor's, or an image's configuration.
    init?(document: JSONDocument) {
        guard let system = document["os"]?.string, let architecture = document["architecture"]?.string,
            !architecture.isEmpty
        else { return nil }
        let variant = document["variant"]?.string
        self.init(system: system, architecture: architecture, variant: variant == "" ? nil : variant)
    }

    /// Whether an image for this platform is what a user means who asks for another one.
    func satisfies(_ wanted: Platform) -> Bool {
        guard system == wanted.system, architecture == wanted.architecture else { return false }
        guard let variant = wanted.variant else { return true }
        // Of 64-bit ARM there is only v8, which many images don't say.
        return self.variant == variant || architecture == "arm64" && (self.variant ?? "v8") == variant
    }

    var text: String { ([system, architecture] + (variant.map { [$0] } ?? [])).joined(separator: "/") }
}

/// References to images as people write them.
enum ImageName {
    /// Whether a name in a layout is the one that a user asks for: the whole, or without what is Docker's default.
    static func matches(_ name: String, _ wanted: String) -> Bool {
        let forms = forms(name)
        return forms.contains(wanted) || forms.contains(wanted + ":latest")
    }

    private static func forms(_ name: String) -> [String] {
        var forms = [name]
        for prefix in ["docker.io/library/", "docker.io/"] where name.hasPrefix(prefix) {
            forms.append(String(name.dropFirst(prefix.count)))
        }
        return forms
    }
}
