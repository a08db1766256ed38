internal import ImageEntries
internal import JSONText

/// A reference to a document or layer of an OCI image.
///
/// Source: the OCI image specification, "OCI Content Descriptors".
struct ImageDescriptor: Hashable {
    var mediaType: String
    /// 64 digits of SHA-256.
    var digest: String
    /// In bytes.
    var size: UInt64
    /// Nil if it doesn't say.
    var platform: Platform?
    var annotations: [String: String]
    /// Other places that have it.
    var urls: [String]

    /// - Parameter image: what messages call the image.
    init(_ document: JSONValue, image: String) throws(ImageError) {
        guard let digest = document["digest"]?.string, let size = document["size"]?.integer, size >= 0 else {
            throw .badImage(image, "a descriptor has no digest or no size")
        }
        self.digest = try Digest.digits(of: digest, image)
        self.size = UInt64(size)
        mediaType = document["mediaType"]?.string ?? ""
        platform = document["platform"].flatMap(Platform.init(document:))
        annotations = Dictionary(
            uniqueKeysWithValues: (document["annotations"]?.object ?? []).compactMap { name, value in
                value.string.map { (name, $0) }
            }
        )
        urls = (document["urls"]?.array ?? []).compactMap(\.string)
    }

    /// Where the layout has it.
    var path: String { "blobs/sha256/\(digest)" }

    /// Whether it is a statement about another image, as build tools' attestations are.
    var isAttestation: Bool {
        annotations["vnd.docker.reference.type"] != nil || platform?.isUnknown == true
    }

    /// What the layout calls the image: references, from the most to the least precise.
    var names: [String] {
        ["io.containerd.image.name", "org.opencontainers.image.ref.name"].compactMap { annotations[$0] }
    }
}
