internal import LinuxFiles

/// Finds an image in an OCI image layout, also in one that `docker save` wrote.
///
/// Source: the OCI image specification, "Image Layout", "Image Index" and "Image Manifest".
struct OCILayout {
    private static let maxNesting = 4
    private static let maxManifests = 1000
    /// Of all indexes together, also those that are passed over.
    private static let maxDescriptors = 10_000
    private static let maxLayers = 4096

    private let files: any LayoutFiles
    private let options: ImportOptions
    private let cancellation: Cancellation

    init(_ files: any LayoutFiles, _ options: ImportOptions, _ cancellation: Cancellation) {
        self.files = files
        self.options = options
        self.cancellation = cancellation
    }

    private struct Candidate {
        var descriptor: ImageDescriptor
        var platform: Platform?
        /// Of the image in the layout; nil if it has none.
        var name: String?
    }

    /// What an index and those in it have told so far.
    private struct Collected {
        var candidates: [Candidate] = []
        var digests: Set<String> = []
        var descriptors = 0
    }

    /// The layers of the one image that is asked for, the lowest first.
    func layers() throws(ImageError) -> [ImageLayer] {
        let layout = try files.document("oci-layout")
        guard layout["imageLayoutVersion"]?.string?.hasPrefix("1.") == true else {
            throw .badImage(files.name, "oci-layout has another version than 1")
        }
        var collected = Collected()
        for descriptor in try named(descriptors(files.document("index.json"), "manifests")) {
            try collect(descriptor, name: descriptor.names.first, nesting: 0, into: &collected)
        }
        return try layers(of: choose(collected.candidates).descriptor)
    }

    private func descriptors(_ document: JSONDocument, _ member: String) throws(ImageError) -> [ImageDescriptor] {
        guard let list = document[member]?.array else {
            throw .badImage(files.name, "a document has no \"\(member)\"")
        }
        return try list.map { (element) throws(ImageError) in try ImageDescriptor(element, image: files.name) }
    }

    /// Those of the name that is asked for, or all.
    private func named(_ descriptors: [ImageDescriptor]) throws(ImageError) -> [ImageDescriptor] {
        guard let wanted = options.image else { return descriptors }
        let found = descriptors.filter { $0.names.contains { ImageName.matches($0, wanted) } }
        guard found.isEmpty else { return found }
        throw .choice(
            "there is no image \(printable(wanted.utf8)) in \(files.name)",
            "--image",
            descriptors.flatMap(\.names)
        )
    }

    private func collect(
        _ descriptor: ImageDescriptor,
        name: String?,
        nesting: Int,
        into collected: inout Collected
    ) throws(ImageError) {
        guard !cancellation.isRequested else { throw ImageError(.cancelled, "the import was cancelled") }
        collected.descriptors += 1
        guard collected.descriptors <= Self.maxDescriptors, collected.candidates.count < Self.maxManifests,
            nesting < Self.maxNesting
        else {
            throw .badImage(files.name, "it has too many manifests, or they are nested too deep")
        }
        // What an index names a second time has nothing new in it.
        guard !descriptor.isAttestation, collected.digests.insert(descriptor.digest).inserted else { return }
        if descriptor.isIndex {
            for inner in try descriptors(document(descriptor), "manifests") {
                try collect(inner, name: name, nesting: nesting + 1, into: &collected)
            }
        } else {
            // Without a media type it can be nothing else.
            guard descriptor.isManifest || descriptor.mediaType.isEmpty else { return }
            var platform = descriptor.platform
            if platform == nil { platform = try self.platform(of: descriptor) }
            collected.candidates.append(Candidate(descriptor: descriptor, platform: platform, name: name))
        }
    }

    private func document(_ descriptor: ImageDescriptor) throws(ImageError) -> JSONDocument {
        try files.document(descriptor.path, sha256: descriptor.digest)
    }

    /// What an image's configuration says; nil if it isn't there, as in a layout with one platform of several.
    private func platform(of descriptor: ImageDescriptor) throws(ImageError) -> Platform? {
        guard try files.exists(descriptor.path), let config = try document(descriptor)["config"] else { return nil }
        let configuration = try ImageDescriptor(config, image: files.name)
        guard try files.exists(configuration.path), configuration.size < 4 << 20 else { return nil }
        return try Platform(document: document(configuration))
    }

    private func choose(_ candidates: [Candidate]) throws(ImageError) -> Candidate {
        guard !candidates.isEmpty else { throw .badImage(files.name, "there is no image in it") }
        var found = candidates
        if let text = options.platform {
            let wanted = try Platform.wanted(text)
            found = candidates.filter { $0.platform?.satisfies(wanted) == true }
            guard !found.isEmpty else {
                throw .choice(
                    "there is no image for \(wanted.text) in \(files.name)",
                    "--platform",
                    candidates.compactMap { $0.platform?.text }
                )
            }
        }
        if found.count == 1 { return found[0] }
        let names = found.compactMap(\.name)
        if Set(names).count > 1, options.image == nil {
            throw .choice("there are several images in \(files.name)", "--image", names)
        }
        let platforms = found.compactMap { $0.platform?.text }
        throw .choice("there are images for several platforms in \(files.name)", "--platform", platforms)
    }

    private func layers(of descriptor: ImageDescriptor) throws(ImageError) -> [ImageLayer] {
        let manifest = try document(descriptor)
        guard let type = manifest["config"]?["mediaType"]?.string,
            ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"].contains(
                type
            )
        else { throw .badImage(files.name, "its manifest is not an image's") }
        let layers = try descriptors(manifest, "layers")
        guard layers.count <= Self.maxLayers else {
            throw .badImage(files.name, "its image has more than \(Self.maxLayers) layers")
        }
        return try layers.map { (layer) throws(ImageError) in
            guard Self.isTar(layer.mediaType) else {
                let type = printable(layer.mediaType.utf8)
                throw .badImage(files.name, "a layer has the type \(type), which can't be read")
            }
            return ImageLayer(path: layer.path, size: layer.size, digest: layer.digest)
        }
    }

    /// Tar archives; what they are compressed with shows in the file.
    private static func isTar(_ mediaType: String) -> Bool {
        let oci = ["", "+gzip", "+zstd"].flatMap {
            [
                "application/vnd.oci.image.layer.v1.tar\($0)",
                "application/vnd.oci.image.layer.nondistributable.v1.tar\($0)",
            ]
        }
        let docker = ["", ".gzip", ".zstd"].flatMap {
            [
                "application/vnd.docker.image.rootfs.diff.tar\($0)",
                "application/vnd.docker.image.rootfs.foreign.diff.tar\($0)",
            ]
        }
        return (oci + docker).contains(mediaType)
    }
}

extension Platform {
    /// The platform that a user asks for.
    static func wanted(_ text: String) throws(ImageError) -> Platform {
        if let platform = Platform(parsing: text) { return platform }
        throw ImageError(
            .badArchive,
            "\(printable(text.utf8)) is no platform",
            hint: "Write OS/ARCHITECTURE, such as --platform linux/arm64."
        )
    }
}

extension ImageError {
    /// The error for a choice that the user has to take.
    static func choice(_ message: String, _ option: String, _ values: [String]) -> ImageError {
        var seen: Set<String> = []
        let lines = values.filter { seen.insert($0).inserted }.map { "    \(option) \(printable($0.utf8))" }
        return ImageError(
            .badArchive,
            message,
            hint: lines.isEmpty ? nil : "There is:\n" + lines.joined(separator: "\n")
        )
    }
}
