internal import ImageEntries
internal import LinuxFiles

/// A file or directory beside an export's target that becomes the target when all is done, or goes away.
///
/// It lies in the target's parent, so on the same file system: the move is one rename. `StagingPlace` tells how it is
/// called, and how others see that it is in use.
struct ExportTarget: ~Copyable {
    enum Shape {
        case file
        case directory
        /// A directory that never becomes the target: for what must be whole before the target can be written.
        case scratch
    }

    private let parent: OwnedDescriptor
    private let place: StagingPlace
    private let target: FileName
    private let shape: Shape
    /// What stands under the target's name already.
    private let existing: Existing
    private let path: String
    /// A file is open for reading and writing, a directory for reading.
    var descriptor: CInt { place.descriptor.raw }

    private enum Existing {
        case nothing
        /// A file, or an empty directory: the rename replaces it.
        case replaceable
        /// An OCI layout, which the export may replace: it changes names with ours and is removed.
        case layout
    }

    /// - Parameters:
    ///   - mode: the permission bits of the target.
    ///   - mayReplace: whether a file, or an OCI layout, may be there already.
    ///   - tree: the exported directory, which must not hold the target.
    static func make(
        for path: String,
        _ shape: Shape,
        mode: UInt32,
        mayReplace: Bool,
        outside tree: CInt
    ) throws(ImageError) -> ExportTarget {
        let (parentPath, last) = StagingDirectory.split(path)
        let target = try targetName(last, path)
        let parent = try StagingDirectory.openParent(parentPath)
        try checkOutside(tree, parent.raw, path)
        let existing = shape == .scratch ? .nothing : try inspect(target, in: parent.raw, shape, path, mayReplace)
        do throws(Errno) {
            // What is only needed to write the target lies beside that while both are made.
            let mayShare = shape == .scratch
            let place = try StagingPlace.take(for: last, "exporting", in: parent.raw, mayShare: mayShare) {
                (name) throws(Errno) in
                switch shape {
                case .file:
                    let flags: OpenMode = [.readWrite, .create, .exclusive, .noFollow]
                    return try System.open(at: parent.raw, name, flags, mode: mode)
                case .directory, .scratch:
                    try System.makeDirectory(at: parent.raw, name, mode: mode)
                    return try System.open(at: parent.raw, name, [.readOnly, .directory, .noFollow])
                }
            }
            return ExportTarget(
                parent: parent,
                place: place,
                target: target,
                shape: shape,
                existing: existing,
                path: path
            )
        } catch .EBUSY {
            throw .beingMade(path)
        } catch {
            throw .writing("can't make a file in \(ShellWord(parentPath))", error, in: parent.raw, isStaging: false)
        }
    }

    private static func targetName(_ last: String, _ path: String) throws(ImageError) -> FileName {
        do throws(Errno) {
            return try FileName(last)
        } catch {
            throw ImageError(
                .badDestination,
                "can't export to \(ShellWord(path)): its last part must be a name",
                hint: "Name a file that does not exist yet, such as ./rootfs.tar.",
                cause: error
            )
        }
    }

    /// An archive in the tree would be a file of the tree.
    private static func checkOutside(_ tree: CInt, _ parent: CInt, _ path: String) throws(ImageError) {
        guard let treePath = try? System.currentPath(of: tree), let parentPath = try? System.currentPath(of: parent),
            parentPath == treePath || parentPath.starts(with: treePath + [UInt8(ascii: "/")])
        else { return }
        throw ImageError(
            .badDestination,
            "\(ShellWord(path)) lies in the tree that is to be exported",
            hint: "Export to a place outside of it."
        )
    }

    private static func inspect(
        _ target: borrowing FileName,
        in parent: CInt,
        _ shape: Shape,
        _ path: String,
        _ mayReplace: Bool
    ) throws(ImageError) -> Existing {
        let found: Found
        do throws(Errno) {
            found = try look(target, in: parent)
        } catch {
            throw ImageError("can't look at \(ShellWord(path))", error)
        }
        switch (shape, found) {
        case (_, .nothing): return .nothing
        case (.directory, .emptyDirectory): return .replaceable
        case (.file, .file) where mayReplace: return .replaceable
        case (.directory, .layout) where mayReplace: return .layout
        case (.file, .file), (.directory, .layout):
            throw alreadyThere(path, hint: "Remove it, choose another name, or let --force replace it.")
        case (.file, _):
            throw alreadyThere(
                path,
                hint: "It is no file, so nothing replaces it: choose another name. - is standard output."
            )
        case (.directory, _), (.scratch, _):
            throw alreadyThere(path, hint: "It is no OCI layout, so nothing replaces it: choose another name.")
        }
    }

    private enum Found {
        case nothing
        /// Or a symbolic link.
        case file
        case emptyDirectory
        case layout
        case other
    }

    private static func look(_ target: borrowing FileName, in parent: CInt) throws(Errno) -> Found {
        do throws(Errno) {
            return try target.withCString { (name) throws(Errno) in
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
            throw ImageError("can't look at \(ShellWord(path))", error)
        }
    }

    /// Moves it to the target: a file when its content is on the disk, a directory when its names are. What is in the
    /// directory's files is their writer's business.
    /// - Returns: what a user should know all the same, a sentence without a full stop.
    func commit(_ wait: ExportWait) throws(ImageError) -> String? {
        if shape == .file { try wait.writeBack(descriptor, "can't write \(ShellWord(path)) to the disk") }
        do throws(Errno) {
            switch shape {
            case .file: try System.synchronize(descriptor, dataOnly: true)
            case .directory, .scratch: try System.synchronizeDirectory(descriptor)
            }
            try place.name.withCString { (name) throws(Errno) in
                try target.withCString { (target) throws(Errno) in
                    if existing == .layout {
                        try System.exchange(at: parent.raw, name, target)
                    } else {
                        try System.rename(
                            at: parent.raw,
                            name,
                            to: parent.raw,
                            target,
                            replacing: existing == .replaceable
                        )
                    }
                }
            }
        } catch .EEXIST, .ENOTEMPTY, .ENOTDIR, .EISDIR {
            throw Self.alreadyThere(path, hint: "Somebody else made it during the export. Choose another name.")
        } catch {
            throw ImageError("can't move the finished export to \(ShellWord(path))", error)
        }
        // The export stands: nothing would be better without it.
        if shape != .scratch { try? System.synchronizeDirectory(parent.raw) }
        return existing == .layout ? removeOldLayout() : nil
    }

    /// The old layout, under the name that the new one had; the next export tries again.
    private func removeOldLayout() -> String? {
        do throws(Errno) {
            try System.removeTree(at: parent.raw, place.name)
            return nil
        } catch {
            let name = ShellWord(place.name.bytes.withUnsafeBytes { Array($0) })
            return "what \(ShellWord(path)) was before can't be removed (\(error.text)): it is \(name) beside it now"
        }
    }

    /// Removes it.
    func discard() {
        try? System.removeTree(at: parent.raw, place.name)
    }
}
