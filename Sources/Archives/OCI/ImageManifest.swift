internal import ImageEntries
internal import JSONText
internal import LinuxFiles

/// An image's manifest: its configuration and its layers, the lowest first.
///
/// Source: the OCI image specification, "Image Manifest".
struct ImageManifest {
    private static let maxLayers = 4096

    var configuration: ImageDescriptor
    var layers: [ImageDescriptor]
    /// The type of something that is not an image: a signature, an attestation, a chart.
    var artifact: String?

    /// - Parameter image: what messages call the image.
    init(_ document: JSONValue, image: String) throws(ImageError) {
        guard let config = document["config"], !config.isNull else {
            let isSchema1 = document["schemaVersion"]?.integer == 1
            throw isSchema1 ? .schema1(image) : .badImage(image, "its manifest names no configuration")
        }
        guard let list = document["layers"]?.list else { throw .badImage(image, "its manifest has no \"layers\"") }
        guard list.count <= Self.maxLayers else {
            throw .badImage(image, "its image has more than \(Self.maxLayers) layers")
        }
        configuration = try ImageDescriptor(config, image: image)
        layers = try list.map { (element) throws(ImageError) in try ImageDescriptor(element, image: image) }
        let types = layers.map(\.mediaType)
        if !MediaType.isConfiguration(configuration.mediaType) {
            artifact = document["artifactType"]?.string ?? configuration.mediaType
        } else if !types.isEmpty, !types.contains(where: MediaType.isLayer) {
            // Signatures and attestations have an image's configuration, and layers of their own.
            artifact = types[0]
        }
    }

    /// The layers with what their contents must be.
    /// - Parameter digests: the configuration's, of the decompressed layers; as many as there are layers.
    func imageLayers(_ digests: [String], image: String) throws(ImageError) -> [ImageLayer] {
        var found: [ImageLayer] = []
        for (layer, digest) in zip(layers, digests) {
            let type = printable(layer.mediaType.utf8)
            guard !MediaType.isEncrypted(layer.mediaType) else { throw .encrypted(image, type) }
            guard MediaType.isTar(layer.mediaType) else {
                throw .badImage(image, "a layer has the type \(type), which can't be read")
            }
            found.append(
                ImageLayer(path: layer.path, size: layer.size, digest: layer.digest, contentDigest: digest)
            )
        }
        return found
    }

    /// The digests of the decompressed layers, as 64 digits each.
    /// - Parameter configuration: an image's configuration.
    static func contentDigests(_ configuration: JSONValue, image: String) throws(ImageError) -> [String] {
        guard let list = configuration["rootfs"]?["diff_ids"]?.list else {
            throw .badImage(image, "its configuration has no \"rootfs\" with the digests of the layers (diff_ids)")
        }
        return try list.map { (element) throws(ImageError) in
            guard let digest = element.string else { throw .badImage(image, "one of its diff_ids is not text") }
            return try Digest.digits(of: digest, image)
        }
    }
}

extension ImageError {
    static func schema1(_ image: String) -> ImageError {
        ImageError(
            .badArchive,
            "the container image in \(image) has a manifest of Docker's schema 1, which can't be read",
            hint: "Pull it again, or convert it:\n    skopeo copy --format oci SOURCE oci:DIRECTORY"
        )
    }

    fileprivate static func encrypted(_ image: String, _ type: String) -> ImageError {
        ImageError(
            .badArchive,
            "a layer of the container image in \(image) is encrypted (\(type)), so it can't be read",
            hint: "Decrypt it:\n    skopeo copy --decryption-key KEY SOURCE oci:DIRECTORY"
        )
    }

    /// The error for something else that is stored like an image.
    static func artifact(_ image: String, _ types: [String]) -> ImageError {
        let shown = types.map { $0.isEmpty ? "without a type" : printable($0.utf8) }.joined(separator: ", ")
        return ImageError(
            .badArchive,
            "there is no image in \(image): it holds something else (\(shown))",
            hint: "Signatures, attestations, charts and other artifacts have no root filesystem. Save the image itself."
        )
    }

    /// The error for an image whose root would be empty.
    static func noLayers(_ image: String) -> ImageError {
        ImageError(
            .badArchive,
            "the container image in \(image) has no layers: its root filesystem is empty",
            hint: "It was made FROM scratch, and nothing was put into it. Choose another image."
        )
    }
}
