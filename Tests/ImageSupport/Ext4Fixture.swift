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

    package func source(_ image: String, partition: Int? = nil) throws(ImageError) -> Ext4Source {
        let descriptor: OwnedDescriptor
        do throws(Errno) {
            descriptor = try System.open(host.file(image), .readOnly)
        } catch {
            throw ImageError("can't open \(image)", error)
        }
        return try Ext4Source(image: descriptor, name: image, partition: partition)
    }

    package func files(_ image: String, partition: Int? = nil) throws(ImageError) -> [String: EntryList.File] {
        try EntryList(source(image, partition: partition)).files
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
