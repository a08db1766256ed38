internal import ImageEntries
internal import LinuxFiles

/// An archive or image in the making.
extension Staging {
    /// Begins an export's target, or with `scratch` a directory that is only needed to write it.
    /// - Parameters:
    ///   - mode: the permission bits of the target.
    ///   - mayReplace: whether a file, or an OCI layout, may be there already.
    ///   - tree: the exported directory, which must not hold the target.
    static func target(
        for path: String,
        _ purpose: Purpose,
        _ shape: Shape,
        mode: UInt32,
        mayReplace: Bool = false,
        outside tree: CInt
    ) throws(ImageError) -> Staging {
        let destination = try Destination(path) { error in
            ImageError(
                .badDestination,
                "can't export to \(ShellWord(path)): its last part must be a name",
                hint: "Name a file that does not exist yet, such as ./rootfs.tar.",
                cause: error
            )
        }
        try checkOutside(tree, destination)
        let predecessor = try purpose == .scratch ? .nothing : inspect(destination, shape, mayReplace)
        return try Staging(destination, purpose, shape, mode: mode, replacing: predecessor)
    }

    /// An archive in the tree would be a file of the tree.
    private static func checkOutside(_ tree: CInt, _ destination: borrowing Destination) throws(ImageError) {
        guard let treePath = try? System.currentPath(of: tree),
            let parentPath = try? System.currentPath(of: destination.parent.raw),
            parentPath == treePath || parentPath.starts(with: treePath + [UInt8(ascii: "/")])
        else { return }
        throw ImageError(
            .badDestination,
            "\(ShellWord(destination.path)) lies in the tree that is to be exported",
            hint: "Export to a place outside of it."
        )
    }

    private static func inspect(
        _ destination: borrowing Destination,
        _ shape: Shape,
        _ mayReplace: Bool
    ) throws(ImageError) -> Predecessor {
        let path = destination.path
        let found: Found
        do throws(Errno) {
            found = try look(destination)
        } catch {
            throw ImageError("can't look at \(ShellWord(path))", error)
        }
        switch (shape, found) {
        case (_, .nothing): return .nothing
        case (.directory, .emptyDirectory): return .replaced
        case (.file, .file) where mayReplace: return .replaced
        case (.directory, .layout) where mayReplace: return .exchanged
        case (.file, .file), (.directory, .layout):
            throw alreadyThere(path, hint: "Remove it, choose another name, or let --force replace it.")
        case (.file, _):
            throw alreadyThere(
                path,
                hint: "It is not a file, so nothing replaces it: choose another name. - is standard output."
            )
        case (.directory, _):
            throw alreadyThere(path, hint: "It is not an OCI layout, so nothing replaces it: choose another name.")
        }
    }

    private enum Found {
        case nothing
        /// A file or a symbolic link.
        case file
        case emptyDirectory
        case layout
        case other
    }

    private static func look(_ destination: borrowing Destination) throws(Errno) -> Found {
        let parent = destination.parent.raw
        do throws(Errno) {
            return try destination.name.withCString { (name) throws(Errno) in
                switch try System.status(at: parent, name).format {
                case .regular, .symlink: return .file
                case .directory:
                    let directory = try System.open(at: parent, name, [.readOnly, .directory, .noFollow])
                    let names = try System.names(in: directory.raw)
                    if names.isEmpty { return .emptyDirectory }
                    return names.contains(Array("oci-layout".utf8)) ? .layout : .other
                default: return .other
                }
            }
        } catch .ENOENT {
            return .nothing
        }
    }

    private static func alreadyThere(_ path: String, hint: String) -> ImageError {
        ImageError(.badDestination, "\(ShellWord(path)) is there already", hint: hint, cause: .EEXIST)
    }

    /// Bytes in a file.
    func size() throws(ImageError) -> UInt64 {
        do throws(Errno) {
            return try System.status(of: descriptor).size
        } catch {
            throw ImageError("can't look at \(ShellWord(destination.path))", error)
        }
    }

    /// Publishes a target: a file when its content is on the disk, a directory when its names are. The writer of a directory's
    /// files has written their content to the disk.
    /// - Returns: what a user should know all the same, a sentence without a full stop.
    consuming func publishTarget(_ wait: ExportWait) throws(ImageError) -> String? {
        let path = destination.path
        if shape == .file { try wait.writeBack(descriptor, "can't write \(ShellWord(path)) to the disk") }
        do throws(Errno) {
            switch shape {
            case .file: try System.synchronize(descriptor, dataOnly: true)
            case .directory: try System.synchronizeDirectory(descriptor)
            }
            guard let left = try publish(isSynchronized: true) else { return nil }
            return
                "what \(ShellWord(path)) was before can't be removed (\(left.reason.text)): it is \(ShellWord(left.name)) beside it now"
        } catch .EEXIST {
            throw Self.alreadyThere(path, hint: "Somebody else made it during the export. Choose another name.")
        } catch {
            throw ImageError("can't move the finished export to \(ShellWord(path))", error)
        }
    }
}
