internal import ImageEntries
internal import LinuxFiles

/// A directory beside the destination that becomes the destination when all is done, or goes away.
///
/// It lies in the destination's parent, so on the same file system: the move is one rename. `StagingPlace` tells how it
/// is called, and how others see that it is in use.
struct StagingDirectory: ~Copyable {
    private let parent: OwnedDescriptor
    private let place: StagingPlace
    private let destination: FileName
    /// Whether the destination is an empty directory already.
    private let replacesDirectory: Bool
    private let path: String
    /// A descriptor of it that is open for reading.
    var directory: CInt { place.descriptor.raw }
    /// Directories of killed imports that were removed.
    var leftoversRemoved: Int { place.leftoversRemoved }

    /// Makes one for a destination, which must not exist or be an empty directory.
    /// - Parameter source: the path of what is imported, which must not be told to be removed.
    static func make(for path: String, source: String? = nil) throws(ImageError) -> StagingDirectory {
        let (parentPath, last) = split(path)
        let destination = try destinationName(last, path)
        let parent = try openParent(parentPath)
        let replacesDirectory = try inspect(destination, in: parent.raw, path, source)
        do throws(Errno) {
            let place = try StagingPlace.take(for: last, "importing", in: parent.raw) { name in
                // The tree goes last: by it the next import finds what is left, should this one be killed.
                removeDatabase(of: name, in: parent.raw)
            } make: { (name) throws(Errno) in
                // Nobody else needs to look into a half-made tree.
                try System.makeDirectory(at: parent.raw, name, mode: 0o700)
                return try System.open(at: parent.raw, name, [.readOnly, .directory, .noFollow])
            }
            return StagingDirectory(
                parent: parent,
                place: place,
                destination: destination,
                replacesDirectory: replacesDirectory,
                path: path
            )
        } catch .EBUSY {
            throw .beingMade(path)
        } catch {
            let action = "can't make a directory in \(ShellWord(parentPath))"
            throw .writing(action, error, in: parent.raw, isStaging: false)
        }
    }

    private static func destinationName(_ last: String, _ path: String) throws(ImageError) -> FileName {
        do throws(Errno) {
            return try FileName(last)
        } catch {
            throw ImageError(
                .badDestination,
                path.isEmpty
                    ? "the destination has no name"
                    : "can't import to \(ShellWord(path)): its last part must be the name of a directory",
                hint: "Name a directory that does not exist yet, such as ./rootfs.",
                cause: error
            )
        }
    }

    static func openParent(_ path: String) throws(ImageError) -> OwnedDescriptor {
        do throws(Errno) {
            return try System.open(path, [.readOnly, .directory])
        } catch {
            var failure = ImageError("can't open the directory \(ShellWord(path))", error)
            if error == .ENOENT { failure.hint = "Make it first:\n    mkdir -p \(ShellWord(path))" }
            throw failure
        }
    }

    /// "a/b//" is "b" in "a"; "b" is "b" in ".".
    static func split(_ path: String) -> (parent: String, last: String) {
        var bytes = Array(path.utf8)
        while bytes.count > 1, bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else {
            return (".", String(decoding: bytes, as: UTF8.self))
        }
        let parent = slash == 0 ? bytes[...0] : bytes[..<slash]
        return (String(decoding: parent, as: UTF8.self), String(decoding: bytes[(slash + 1)...], as: UTF8.self))
    }

    /// - Returns: whether the destination exists, as an empty directory.
    private static func inspect(
        _ destination: borrowing FileName,
        in parent: CInt,
        _ path: String,
        _ source: String?
    ) throws(ImageError) -> Bool {
        do throws(Errno) {
            let directory = try destination.withCString { (name) throws(Errno) in
                try System.open(at: parent, name, [.readOnly, .directory, .noFollow])
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
        let database = databaseName(path).map { " \(ShellWord($0))" } ?? ""
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

    /// Moves the directory to the destination.
    /// - Parameter isSynchronized: whether the new name shall be on the disk, too.
    func commit(isSynchronized: Bool) throws(ImageError) {
        do throws(Errno) {
            try place.name.withCString { (name) throws(Errno) in
                try destination.withCString { (destination) throws(Errno) in
                    // Over an empty directory the rename is atomic too, and it fails if that has been filled meanwhile.
                    try System.rename(
                        at: parent.raw,
                        name,
                        to: parent.raw,
                        destination,
                        replacing: replacesDirectory
                    )
                }
            }
        } catch .EEXIST, .ENOTEMPTY, .ENOTDIR {
            throw ImageError(
                .badDestination,
                "\(ShellWord(path)) has been made or filled by somebody else during the import",
                hint: "Name another directory.",
                cause: .EEXIST
            )
        } catch {
            throw ImageError("can't move the finished tree to \(ShellWord(path))", error)
        }
        // The tree stands: nothing would be better without it.
        if isSynchronized { try? System.synchronizeDirectory(parent.raw) }
    }

    /// Removes the directory with all it holds.
    func discard() {
        // The tree last, as with leftovers.
        Self.removeDatabase(of: place.name.bytes.withUnsafeBytes { Array($0) }, in: parent.raw)
        try? System.removeTree(at: parent.raw, place.name)
    }
}
