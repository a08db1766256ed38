internal import LinuxFiles

/// The files of a container image, layer after layer, each verified against its digest.
final class LayerSource: EntrySource {
    private let files: any LayoutFiles
    private let layers: [ImageLayer]
    private let cancellation: Cancellation
    private var reader: ArchiveReader?
    private var stream: ArchiveStream?
    private var input: FileInput?
    private(set) var layer: Int?
    private var bytesBefore: UInt64 = 0
    let bytesTotal: UInt64?

    init(_ files: any LayoutFiles, _ layers: [ImageLayer], _ cancellation: Cancellation) throws(ImageError) {
        self.files = files
        self.layers = layers
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

    func next() throws(ImageError) -> ImageEntry? {
        while true {
            if let entry = try reader?.next() { return entry }
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
        let isContentHashed = layer.digest == nil && layer.contentDigest != nil
        let stream = try ArchiveStream(input, isHashed: isContentHashed, cancellation)
        // The digest says whether it is whole.
        reader = try ArchiveReader(stream, input, cancellation, needsEndMark: false, dialect: .plain)
        self.stream = stream
        self.input = input
    }

    private func finishLayer() throws(ImageError) {
        guard let reader, let stream, let input, let layer else { return }
        try reader.finish()
        let expected = layers[layer]
        let what = printable(expected.path.utf8)
        if let digest = expected.digest {
            try Digest.compare(input.finishHash(), digest, what, files.name)
        } else if let digest = expected.contentDigest {
            try Digest.compare(stream.finishHash(), digest, "the content of \(what)", files.name)
        }
        bytesBefore += input.bytesRead
        // Before another one sets its thread's locale.
        self.reader = nil
        self.stream = nil
        self.input = nil
    }

    func forEachBlock(_ body: (UnsafeRawBufferPointer, Int64) throws(ImageError) -> Void) throws(ImageError) {
        try reader?.forEachBlock(body)
    }

    var notice: String? { reader?.notice }

    func finish() throws(ImageError) {}

    var bytesRead: UInt64 { bytesBefore + (input?.bytesRead ?? 0) }
}
