package import ImageEntries
internal import LinuxFiles

/// Puts an image layout into a tar file: what skopeo and podman call an oci-archive.
package struct OCIArchive {
    private let layout: CInt
    private let cancellation: Cancellation

    package init(_ layout: CInt, _ cancellation: Cancellation) {
        self.layout = layout
        self.cancellation = cancellation
    }

    package func write(to next: any ByteOutput) throws(ImageError) {
        let output = BufferedOutput(next)
        try addFile("oci-layout", to: output)
        try addFile("index.json", to: output)
        for directory in ["blobs/", "blobs/sha256/"] {
            try output.write(TarHeader(path: Array(directory.utf8), kind: .directory, permissions: 0o755).blocks())
        }
        for name in try blobNames() { try addFile("blobs/sha256/\(name)", to: output) }
        try output.write(zeros: 2 * TarHeader.blockSize)
        try output.finish()
    }

    private func blobNames() throws(ImageError) -> [String] {
        do throws(Errno) {
            let blobs = try System.open(at: layout, "blobs/sha256", [.readOnly, .directory])
            return try System.names(in: blobs.raw).map { String(decoding: $0, as: UTF8.self) }.sorted()
        } catch {
            throw ImageError("can't read the image layout", error)
        }
    }

    private func addFile(_ path: String, to output: BufferedOutput) throws(ImageError) {
        let content: FileReader
        do throws(Errno) {
            let file = try System.open(at: layout, path, .readOnly)
            let size = try System.status(of: file.raw).size
            content = FileReader(file, size: size, name: path)
        } catch {
            throw ImageError("can't read the image layout", error)
        }
        var header = TarHeader(path: Array(path.utf8), kind: .file, permissions: 0o644)
        header.size = content.size
        try output.write(header.blocks())
        try content.forEachBlock(in: 0..<content.size) { (bytes, _) throws(ImageError) in
            if cancellation.isRequested { throw ImageError(.cancelled, "the export was cancelled") }
            try output.write(bytes)
        }
        try output.pad(to: TarHeader.blockSize)
    }
}
