internal import FakeRoot
package import ImageEntries
internal import LinuxFiles

/// The files of a container image, layer after layer, each verified against its digest.
package final class LayerSource: EntrySource {
    private let files: any LayoutFiles
    private let layers: [ImageLayer]
    private let cancellation: Cancellation
    private var reader: TarSource?
    private var stream: ArchiveStream?
    private var input: FileInput?
    /// Whether there is a current entry, whose content may not have been read.
    private var hasEntry = false
    package private(set) var layer: Int?
    private var bytesBefore: UInt64 = 0
    package let bytesTotal: UInt64?
    package private(set) var closingNotices: [String]

    /// Checks that all layers are there, with their sizes.
    /// - Parameter notices: what choosing the image has told.
    /// - Throws: `badArchive` if one is missing or has another size than the image says.
    package init(
        _ files: any LayoutFiles,
        _ layers: [ImageLayer],
        notices: [String] = [],
        _ cancellation: Cancellation
    ) throws(ImageError) {
        self.files = files
        self.layers = layers
        closingNotices = notices
        self.cancellation = cancellation
        var total: UInt64 = 0
        for layer in layers {
            let size = try files.need(layer.path).size
            guard size == layer.size ?? size else {
                throw .badImage(
                    files.name,
                    "\(printable(layer.path.utf8)) has \(size) bytes and not \(layer.size ?? 0)"
                )
            }
            let (sum, overflow) = total.addingReportingOverflow(size)
            total = overflow ? UInt64.max : sum
        }
        bytesTotal = total
    }

    package func next() throws(ImageError) -> ImageEntry? {
        while true {
            if let reader {
                // What nobody has read must be whole, too.
                if hasEntry { try reader.forEachBlock { (_, _) throws(ImageError) in } }
                hasEntry = false
                if let entry = try reader.next() {
                    hasEntry = true
                    return entry
                }
            }
            try finishLayer()
            let next = (layer ?? -1) + 1
            guard next < layers.count else { return nil }
            layer = next
            try open(layers[next])
        }
    }

    private func open(_ layer: ImageLayer) throws(ImageError) {
        let file = try files.need(layer.path)
        let part = file.part
        let input = try FileInput(
            file.descriptor,
            name: "\(printable(layer.path.utf8)) in \(files.name)",
            part: part,
            isHashed: layer.digest != nil,
            cancellation
        )
        self.input = input
        // A file without a single byte is an archive without entries, and has a digest as every other.
        guard !part.isEmpty else { return }
        // Said twice, it is the same hash: of an archive that is not compressed.
        let isContentHashed = layer.contentDigest != nil && layer.contentDigest != layer.digest
        let stream = try ArchiveStream(input, isHashed: isContentHashed, cancellation)
        self.stream = stream
        guard try !stream.peek().isEmpty else { return }
        // The digests say whether it is whole.
        reader = try TarSource(stream, input, needsEndMark: false, dialect: .plain)
    }

    private func finishLayer() throws(ImageError) {
        guard let input, let layer else { return }
        try reader?.finish()
        let expected = layers[layer]
        let what = printable(expected.path.utf8)
        closingNotices += (reader?.closingNotices ?? []).map { "\(what): \($0)" }
        if let digest = expected.digest { try Digest.compare(input.finishHash(), digest, what, files.name) }
        if let digest = expected.contentDigest {
            try compareContent(digest, expected, "the content of \(what)")
        }
        bytesBefore += input.bytesRead
        // Before another one sets its thread's locale.
        self.reader = nil
        self.stream = nil
        self.input = nil
    }

    private func compareContent(_ digest: String, _ layer: ImageLayer, _ what: String) throws(ImageError) {
        guard let stream else {
            return try Digest.compare(SHA256.hash([UInt8]().span.bytes), digest, what, files.name)
        }
        guard digest == layer.digest else {
            return try Digest.compare(stream.finishHash(), digest, what, files.name)
        }
        guard !stream.isCompressed else {
            throw .badImage(files.name, "\(what) can't have the digest of the compressed file (diff_id)")
        }
    }

    package func forEachBlock(_ body: (UnsafeRawBufferPointer, Int64) throws(ImageError) -> Void) throws(ImageError) {
        try reader?.forEachBlock(body)
    }

    package var notice: String? { reader?.notice }

    package func finish() throws(ImageError) {}

    package var bytesRead: UInt64 { bytesBefore + (input?.bytesRead ?? 0) }
}
