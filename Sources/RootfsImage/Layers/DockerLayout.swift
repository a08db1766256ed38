internal import LinuxFiles

/// Finds an image in what `docker save` writes: manifest.json, a list of images with their layers' paths.
///
/// Source: the Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset Format".
struct DockerLayout {
    private let files: any LayoutFiles
    private let options: ImportOptions

    init(_ files: any LayoutFiles, _ options: ImportOptions) {
        self.files = files
        self.options = options
    }

    private struct Image {
        var configuration: String
        var names: [String]
        var layers: [String]
    }

    /// The layers of the one image that is asked for, the lowest first.
    func layers() throws(ImageError) -> [ImageLayer] {
        let image = try choose(images())
        let configuration = try configuration(of: image)
        if let text = options.platform {
            let wanted = try Platform.wanted(text)
            let found = Platform(document: configuration)
            guard found?.satisfies(wanted) == true else {
                throw .choice(
                    "there is no image for \(wanted.text) in \(files.name)",
                    "--platform",
                    [found?.text ?? ""]
                )
            }
        }
        guard let digests = configuration["rootfs"]?["diff_ids"]?.array?.compactMap(\.string),
            digests.count == image.layers.count
        else { throw .badImage(files.name, "its configuration has not the digests of all layers") }
        var layers: [ImageLayer] = []
        for (path, digest) in zip(image.layers, digests) {
            layers.append(ImageLayer(path: path, contentDigest: try Digest.digits(of: digest, files.name)))
        }
        return layers
    }

    private func images() throws(ImageError) -> [Image] {
        let list = try files.document("manifest.json").array ?? []
        return try list.map { (element) throws(ImageError) in
            guard let configuration = element["Config"]?.string, let layers = element["Layers"]?.array else {
                throw .badImage(files.name, "manifest.json has an image without a configuration or layers")
            }
            return Image(
                configuration: configuration,
                names: (element["RepoTags"]?.array ?? []).compactMap(\.string),
                layers: layers.compactMap(\.string)
            )
        }
    }

    private func choose(_ images: [Image]) throws(ImageError) -> Image {
        guard let wanted = options.image else {
            if images.count == 1 { return images[0] }
            guard !images.isEmpty else { throw .badImage(files.name, "there is no image in it") }
            throw .choice("there are several images in \(files.name)", "--image", images.flatMap(\.names))
        }
        guard let found = images.first(where: { $0.names.contains { ImageName.matches($0, wanted) } }) else {
            let message = "there is no image \(printable(wanted.utf8)) in \(files.name)"
            throw .choice(message, "--image", images.flatMap(\.names))
        }
        return found
    }

    /// The file's name is its digest.
    private func configuration(of image: Image) throws(ImageError) -> JSONDocument {
        let last = image.configuration.split(separator: "/").last.map(String.init) ?? ""
        let digits = last.hasSuffix(".json") ? String(last.dropLast(5)) : last
        return try files.document(image.configuration, sha256: Digest.isDigits(digits) ? digits : nil)
    }
}
