internal import ImageEntries
internal import JSONText
internal import LinuxFiles

/// Finds an image in an OCI image layout, also in one that `docker save` wrote.
///
/// Source: the OCI image specification, "Image Layout", "Image Index" and "Image Manifest".
struct OCILayout {
    private static let maxNesting = 4
    private static let maxManifests = 1000
    /// In all indexes together, also in those that are passed over.
    private static let maxDescriptors = 10_000
    /// In all images together.
    private static let maxLayers = 100_000

    let files: any LayoutFiles
    let request: ContainerImage.Request
    private let cancellation: Cancellation
    /// What the user may want to know of the choice; printable.
    var notices: [String] = []

    init(_ files: any LayoutFiles, _ request: ContainerImage.Request, _ cancellation: Cancellation) {
        self.files = files
        self.request = request
        self.cancellation = cancellation
    }

    /// What an index and those in it have told so far.
    private struct Collected {
        var candidates: [ImageCandidate] = []
        var digests: Set<String> = []
        var descriptors = 0
        var layers = 0
        /// The types of what is not an image.
        var otherTypes: [String] = []
    }

    /// A descriptor in index.json.
    private struct Top {
        var number: Int
        var descriptor: ImageDescriptor
    }

    /// The layers of the one image that is asked for, the lowest first.
    mutating func layers() throws(ImageError) -> [ImageLayer] {
        let layout = try files.document("oci-layout")
        guard layout["imageLayoutVersion"]?.string?.hasPrefix("1.") == true else {
            throw .badImage(files.name, "oci-layout has another version than 1")
        }
        var collected = Collected()
        let tops = try named(descriptors(files.document("index.json"), "manifests"))
        for (number, descriptor) in tops.enumerated() {
            try collect(descriptor, of: Top(number: number, descriptor: descriptor), nesting: 0, into: &collected)
        }
        let images = collected.candidates
        guard !images.isEmpty else {
            let types = Set(collected.otherTypes).sorted()
            throw types.isEmpty ? .badImage(files.name, "there is no image in it") : .artifact(files.name, types)
        }
        // It names the layers even of an image whose manifests docker save left out.
        if !images.contains(where: \.isOffered), request.format != .oci, try files.exists("manifest.json") {
            return try DockerLayout(files, request).layers()
        }
        let choice = try choose(images)
        return try layers(of: choice.descriptor)
    }

    private func descriptors(_ document: JSONValue, _ member: String) throws(ImageError) -> [ImageDescriptor] {
        guard let list = document[member]?.list else {
            throw .badImage(files.name, "a document has no \"\(member)\"")
        }
        return try list.map { (element) throws(ImageError) in try ImageDescriptor(element, image: files.name) }
    }

    /// The descriptors with the name that is asked for, or all.
    private func named(_ descriptors: [ImageDescriptor]) throws(ImageError) -> [ImageDescriptor] {
        guard let wanted = request.name else { return descriptors }
        let found = descriptors.filter { descriptor in
            "sha256:" + descriptor.digest == wanted
                || descriptor.names.contains { ImageName.matches($0, wanted) }
        }
        guard found.isEmpty else { return found }
        throw .choice(
            "there is no image \(printable(wanted.utf8)) in \(files.name)",
            "--image",
            descriptors.flatMap { $0.names.isEmpty ? ["sha256:" + $0.digest] : $0.names }
        )
    }

    private func collect(
        _ descriptor: ImageDescriptor,
        of top: Top,
        nesting: Int,
        into collected: inout Collected
    ) throws(ImageError) {
        guard !cancellation.isRequested else { throw ImageError(.cancelled, "the import was cancelled") }
        collected.descriptors += 1
        guard collected.descriptors <= Self.maxDescriptors, collected.candidates.count < Self.maxManifests,
            collected.layers <= Self.maxLayers, nesting < Self.maxNesting
        else {
            throw .badImage(files.name, "it has too many manifests or layers, or they are nested too deep")
        }
        // What an index names a second time has nothing new in it.
        guard collected.digests.insert(descriptor.digest).inserted else { return }
        let type = descriptor.mediaType
        if descriptor.isAttestation {
            collected.otherTypes.append("an attestation")
        } else if MediaType.isIndex(type), try files.exists(descriptor.path) {
            for inner in try descriptors(files.document(descriptor), "manifests") {
                try collect(inner, of: top, nesting: nesting + 1, into: &collected)
            }
        } else if type.isEmpty || MediaType.isIndex(type) || MediaType.isManifest(type) || MediaType.isSchema1(type) {
            // Without a media type it can be nothing else than a manifest.
            add(descriptor, of: top, to: &collected)
        } else {
            collected.otherTypes.append(type)
        }
    }

    private func add(_ descriptor: ImageDescriptor, of top: Top, to collected: inout Collected) {
        var candidate = ImageCandidate(
            descriptor: descriptor,
            platform: descriptor.platform,
            top: top.number,
            name: top.descriptor.names.first,
            topDigest: top.descriptor.digest,
            state: .whole
        )
        do throws(ImageError) {
            try inspect(&candidate, layers: &collected.layers)
        } catch {
            candidate.state = .damaged(error)
        }
        switch candidate.state {
        case .artifact(let type): collected.otherTypes.append(type)
        case _ where candidate.platform?.isUnknown == true: collected.otherTypes.append("an attestation")
        default: collected.candidates.append(candidate)
        }
    }

    /// Finds out whether it is an image, whether its files are there, and for which platform it is.
    private func inspect(_ candidate: inout ImageCandidate, layers: inout Int) throws(ImageError) {
        let descriptor = candidate.descriptor
        guard !MediaType.isSchema1(descriptor.mediaType) else { throw .schema1(files.name) }
        func isThere(_ needed: ImageDescriptor) throws(ImageError) -> Bool {
            if try files.exists(needed.path) { return true }
            candidate.state = .incomplete(.missing(needed, files.name))
            return false
        }
        guard try isThere(descriptor) else { return }
        let manifest = try ImageManifest(files.document(descriptor), image: files.name)
        layers += manifest.layers.count
        if let type = manifest.artifact {
            candidate.state = .artifact(type)
            return
        }
        guard try isThere(manifest.configuration) else { return }
        if candidate.platform == nil {
            candidate.platform = try Platform(document: files.document(manifest.configuration))
        }
        for layer in manifest.layers { guard try isThere(layer) else { return } }
    }

    private func layers(of descriptor: ImageDescriptor) throws(ImageError) -> [ImageLayer] {
        let manifest = try ImageManifest(files.document(descriptor), image: files.name)
        let configuration = try files.document(manifest.configuration)
        let digests = try ImageManifest.contentDigests(configuration, image: files.name)
        guard digests.count == manifest.layers.count else {
            // Docker 25.0.0 saved images whose manifest had no layers (moby#47065), and manifest.json as ever.
            let image = manifest.configuration.digest
            if let layers = try DockerLayout(files, request).layers(ofConfiguration: image, digests) { return layers }
            throw .badImage(
                files.name,
                "its manifest names \(manifest.layers.count) layers, its configuration \(digests.count) (diff_ids)"
            )
        }
        return try manifest.imageLayers(digests, image: files.name)
    }
}

extension ImageError {
    /// The error for a document or layer that isn't in the layout.
    fileprivate static func missing(_ descriptor: ImageDescriptor, _ image: String) -> ImageError {
        let missing = "there is no \(descriptor.path) in it"
        guard MediaType.isForeign(descriptor.mediaType) || !descriptor.urls.isEmpty else {
            return .badImage(image, missing)
        }
        let hint =
            descriptor.urls.isEmpty
            ? "Ask who distributes it for the file, and put it there."
            : "Load the file, and put it there:\n"
                + descriptor.urls.map { "    \(printable($0.utf8))" }.joined(separator: "\n")
        return ImageError(
            .badArchive,
            "the container image in \(image) lacks a layer that is not distributed with it: \(missing)",
            hint: hint
        )
    }
}
