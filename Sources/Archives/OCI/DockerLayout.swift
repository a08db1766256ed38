internal import ImageEntries
internal import JSONText
internal import LinuxFiles

/// Finds an image in what `docker save` writes: manifest.json, a list of images with their layers' paths.
///
/// Source: the Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset Format".
struct DockerLayout {
    private let files: any LayoutFiles
    private let request: ContainerImage.Request

    init(_ files: any LayoutFiles, _ request: ContainerImage.Request) {
        self.files = files
        self.request = request
    }

    private struct Image {
        var configuration: String
        var names: [String]
        var layers: [String]

        /// The digest that the configuration's file name is, 64 digits: "DIGITS.json", "sha256:DIGITS" or
        /// "blobs/sha256/DIGITS".
        var digest: String? {
            var name = configuration.split(separator: "/").last.map(String.init) ?? ""
            if name.hasSuffix(".json") { name.removeLast(5) }
            if name.hasPrefix("sha256:") { name.removeFirst(7) }
            return Digest.isDigits(name) ? name : nil
        }

        /// What `--image` takes.
        var labels: [String] { names.isEmpty ? digest.map { ["sha256:" + $0] } ?? [] : names }
    }

    /// The layers of the one image that is asked for, the lowest first.
    func layers() throws(ImageError) -> [ImageLayer] {
        let image = try choose(images())
        let configuration = try configuration(of: image)
        if let text = request.platform {
            let wanted = try Platform.wanted(text)
            let found = Platform(document: configuration)
            guard found?.fit(wanted) != nil else {
                throw .choice(
                    "there is no image for \(wanted.text) in \(files.name)",
                    "--platform",
                    found.map { [$0.text] } ?? []
                )
            }
        }
        let digests = try ImageManifest.contentDigests(configuration, image: files.name)
        guard digests.count == image.layers.count else {
            throw .badImage(
                files.name,
                "manifest.json names \(image.layers.count) layers, its configuration \(digests.count) (diff_ids)"
            )
        }
        return zip(image.layers, digests).map { ImageLayer(path: $0, contentDigest: $1) }
    }

    /// The layers of the image with this configuration.
    /// - Parameters:
    ///   - configuration: its digest, 64 digits.
    ///   - digests: what the decompressed layers must have.
    /// - Returns: nil if manifest.json is not there, or doesn't name as many layers.
    func layers(ofConfiguration configuration: String, _ digests: [String]) throws(ImageError) -> [ImageLayer]? {
        guard try files.exists("manifest.json") else { return nil }
        let image = try images().first { $0.digest == configuration }
        guard let image, image.layers.count == digests.count else { return nil }
        return zip(image.layers, digests).map { ImageLayer(path: $0, contentDigest: $1) }
    }

    private func images() throws(ImageError) -> [Image] {
        let document = try files.document("manifest.json")
        guard let list = document.list else { throw noList(document) }
        return try list.map { (element) throws(ImageError) in
            guard let configuration = element["Config"]?.string, let layers = element["Layers"]?.list else {
                throw .badImage(files.name, "manifest.json has an image without a configuration or layers")
            }
            return Image(
                configuration: configuration,
                names: (element["RepoTags"]?.array ?? []).compactMap(\.string),
                layers: try layers.map { (layer) throws(ImageError) in
                    guard let path = layer.string else {
                        throw .badImage(files.name, "manifest.json has a layer without a name")
                    }
                    return path
                }
            )
        }
    }

    /// What skopeo's "dir:" writes has the same name.
    private func noList(_ document: JSONValue) -> ImageError {
        guard let version = document["schemaVersion"]?.integer else {
            return .badImage(files.name, "manifest.json is not a list of images")
        }
        if version == 1 { return .schema1(files.name) }
        return ImageError(
            .badArchive,
            "the manifest.json in \(files.name) is a registry's, as skopeo's dir: has it, and not docker save's",
            hint: "Convert it:\n    skopeo copy dir:SOURCE oci:DIRECTORY"
        )
    }

    private func choose(_ images: [Image]) throws(ImageError) -> Image {
        guard let wanted = request.name else {
            if images.count == 1 { return images[0] }
            guard !images.isEmpty else { throw .badImage(files.name, "there is no image in it") }
            throw .choice("there are several images in \(files.name)", "--image", images.flatMap(\.labels))
        }
        let found = images.first { image in
            image.digest.map { "sha256:" + $0 } == wanted || image.names.contains { ImageName.matches($0, wanted) }
        }
        guard let found else {
            let message = "there is no image \(printable(wanted.utf8)) in \(files.name)"
            throw .choice(message, "--image", images.flatMap(\.labels))
        }
        return found
    }

    /// The file's name is its digest.
    private func configuration(of image: Image) throws(ImageError) -> JSONValue {
        try files.document(image.configuration, sha256: image.digest)
    }
}
