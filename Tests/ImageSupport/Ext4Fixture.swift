package import Ext4Image
package import ImageEntries
internal import LinuxFiles
package import TestSupport
package import Testing

/// A directory with ext4 images and what was read from them.
package struct Ext4Fixture {
    package let host: TemporaryDirectory

    package init() throws {
        host = try TemporaryDirectory()
    }

    /// Runs a script of bash's, in the directory; expects that it ends well.
    /// - Parameter mounts: whether it mounts file systems: what others make of mount namespaces meanwhile would keep them
    ///   mounted, so it has one of its own.
    @discardableResult
    package func shell(
        _ script: String,
        mounts: Bool = false,
        _ location: SourceLocation = #_sourceLocation
    ) throws -> String {
        let script = "set -euo pipefail; cd \"$1\"; \(script)"
        let command = (mounts ? ["unshare", "--mount"] : []) + ["bash", "-c", script, "bash", host.path]
        let result = try RunningProgram(command).wait()
        try #require(result.status == 0, "\(result.output)", sourceLocation: location)
        return result.output
    }

    /// A file of the source, with its content.
    package struct File: Equatable {
        package var entry: ImageEntry
        package var content: [UInt8]?
        package var notice: String?
        /// Bytes of content that were delivered; the rest are holes.
        package var delivered = 0
    }

    /// All that a source gives, by path; the paths are in the order in which they came.
    package static func files(_ source: any EntrySource) throws(ImageError) -> (paths: [String], files: [String: File]) {
        var paths: [String] = []
        var files: [String: File] = [:]
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
        return (paths, files)
    }

    package func source(_ image: String, partition: Int? = nil) throws(ImageError) -> Ext4Source {
        let descriptor: OwnedDescriptor
        do throws(Errno) {
            descriptor = try System.open(host.file(image), .readOnly)
        } catch {
            throw ImageError("can't open \(image)", error)
        }
        return try Ext4Source(image: descriptor, name: image, partition: partition)
    }

    package func files(_ image: String, partition: Int? = nil) throws(ImageError) -> [String: File] {
        try Self.files(source(image, partition: partition)).files
    }

    /// The error that reading all of an image gives.
    package func failure(
        _ image: String,
        partition: Int? = nil,
        _ location: SourceLocation = #_sourceLocation
    ) throws -> ImageError {
        do throws(ImageError) {
            _ = try files(image, partition: partition)
        } catch {
            return error
        }
        return try #require(nil, "the image was read", sourceLocation: location)
    }
}
