package import ImageEntries
package import LinuxFiles

/// A container image in a directory. Symbolic links in it are followed: build tools that cache make them, and what
/// they lead to has a digest.
package final class DirectoryLayout: LayoutFiles {
    package let name: String
    private let directory: OwnedDescriptor

    package init(_ directory: consuming OwnedDescriptor, name: String) {
        self.directory = directory
        self.name = name
    }

    package func open(_ path: String) throws(ImageError) -> LayoutFile? {
        do throws(Errno) {
            let file = try System.open(at: directory.raw, path, [.readOnly, .nonBlocking, .noControllingTerminal])
            let status = try System.status(of: file.raw)
            guard status.format == .regular else { return nil }
            return LayoutFile(descriptor: file, part: 0..<status.size)
        } catch .ENOENT, .ENOTDIR, .ENXIO {
            return nil
        } catch {
            throw ImageError("can't open \(printable(path.utf8)) in \(name)", error)
        }
    }

    package func names(in path: String) throws(ImageError) -> [String] {
        do throws(Errno) {
            let listing = try System.open(at: directory.raw, path.isEmpty ? "." : path, [.readOnly, .directory])
            return try System.names(in: listing.raw).map { String(decoding: $0, as: UTF8.self) }
        } catch .ENOENT, .ENOTDIR {
            return []
        } catch {
            throw ImageError("can't list \(printable(path.utf8)) in \(name)", error)
        }
    }
}
