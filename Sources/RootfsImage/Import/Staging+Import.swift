internal import ImageEntries
internal import LinuxFiles

/// A tree in the making.
extension Staging {
    /// Begins a tree for a destination, which must not exist or be an empty directory.
    /// - Parameter source: the path of what is imported, which must not be told to be removed.
    static func tree(for path: String, source: String? = nil) throws(ImageError) -> Staging {
        let destination = try treeDestination(path)
        let predecessor: Predecessor = try isEmptyDirectory(destination, source) ? .replaced : .nothing
        // Nobody else needs to look into a half-made tree.
        return try Staging(destination, .importing, .directory, mode: 0o700, replacing: predecessor)
    }

    /// Checks whether a tree can have this destination; makes nothing.
    static func checkTree(for path: String) throws(ImageError) {
        _ = try isEmptyDirectory(treeDestination(path), nil)
    }

    private static func treeDestination(_ path: String) throws(ImageError) -> Destination {
        try Destination(path) { error in
            ImageError(
                .badDestination,
                path.isEmpty
                    ? "the destination has no name"
                    : "can't import to \(ShellWord(path)): its last part must be the name of a directory",
                hint: "Name a directory that does not exist yet, such as ./rootfs.",
                cause: error
            )
        }
    }

    /// - Returns: whether the destination exists, as an empty directory.
    private static func isEmptyDirectory(
        _ destination: borrowing Destination,
        _ source: String?
    ) throws(ImageError) -> Bool {
        let path = destination.path
        do throws(Errno) {
            let directory = try destination.name.withCString { (name) throws(Errno) in
                try System.open(at: destination.parent.raw, name, [.readOnly, .directory, .noFollow])
            }
            guard try System.names(in: directory.raw).isEmpty else { throw .ENOTEMPTY }
            return true
        } catch .ENOENT {
            return false
        } catch .ENOTEMPTY {
            throw notEmpty(path, source)
        } catch .ENOTDIR, .ELOOP {
            throw ImageError(
                .badDestination,
                "\(ShellWord(path)) is there already and is not a directory",
                hint: "Name a directory that does not exist yet.",
                cause: .ENOTDIR
            )
        } catch {
            throw ImageError("can't open \(ShellWord(path))", error)
        }
    }

    private static func notEmpty(_ path: String, _ source: String?) -> ImageError {
        if let source, source != "-", let place = realPath(source), let destination = realPath(path),
            place == destination || place.starts(with: destination + [UInt8(ascii: "/")])
        {
            return ImageError(
                .badDestination,
                place == destination
                    ? "\(ShellWord(path)) is the source itself"
                    : "the source \(ShellWord(source)) lies in \(ShellWord(path))",
                hint: "Name a directory that does not exist yet.",
                cause: .ENOTEMPTY
            )
        }
        let database = TreeDatabase.name(ofTree: path).map { " \(ShellWord($0))" } ?? ""
        return ImageError(
            .badDestination,
            "\(ShellWord(path)) is not empty",
            hint:
                "Name a directory that does not exist yet, or remove this one first:\n    rm -r \(ShellWord(path))\(database)",
            cause: .ENOTEMPTY
        )
    }

    private static func realPath(_ path: String) -> [UInt8]? {
        guard let opened = try? System.open(path, .path) else { return nil }
        return try? System.currentPath(of: opened.raw)
    }

    /// Publishes a finished tree.
    consuming func publishTree(isSynchronized: Bool) throws(ImageError) {
        let path = destination.path
        do throws(Errno) {
            _ = try publish(isSynchronized: isSynchronized)
        } catch .EEXIST {
            throw ImageError(
                .badDestination,
                "\(ShellWord(path)) has been made or filled by somebody else during the import",
                hint: "Name another directory.",
                cause: .EEXIST
            )
        } catch {
            throw ImageError("can't move the finished tree to \(ShellWord(path))", error)
        }
    }
}
