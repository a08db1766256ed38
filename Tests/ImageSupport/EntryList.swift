package import ImageEntries

/// All that a source gives.
package struct EntryList {
    /// A file of the source, with its content.
    package struct File: Equatable {
        package var entry: ImageEntry
        package var content: [UInt8]?
        package var notice: String?
        /// Bytes of content that were delivered; the rest are holes.
        package var delivered = 0
    }

    /// In the order in which they came.
    package private(set) var paths: [String] = []
    /// By path.
    package private(set) var files: [String: File] = [:]

    package init(_ source: any EntrySource) throws(ImageError) {
        while let entry = try source.next() {
            let path = String(decoding: entry.path, as: UTF8.self)
            var file = File(entry: entry, notice: source.notice)
            if entry.body == .file {
                var content = [UInt8](repeating: 0, count: Int(entry.size))
                var delivered = 0
                try source.forEachBlock { (block, offset) throws(ImageError) in
                    content.replaceSubrange(Int(offset)..<Int(offset) + block.count, with: block)
                    delivered += block.count
                }
                file.content = content
                file.delivered = delivered
            }
            paths.append(path)
            files[path] = file
        }
        try source.finish()
    }
}
