internal import ImageEntries
internal import LinuxFiles

/// What a file system has no room for.
extension ImageError {
    /// The error for a system call that makes or writes files.
    /// - Parameters:
    ///   - action: as for `init(_:_:)`.
    ///   - directory: of the file system that is written to.
    ///   - isStaging: whether the directory itself goes away with the import or export, so that its parent is named.
    static func writing(
        _ action: String,
        _ cause: Errno,
        in directory: CInt,
        isStaging: Bool = true
    ) -> ImageError {
        var error = ImageError(action, cause)
        guard cause == .ENOSPC, let status = try? System.fileSystemStatus(of: directory), status.files > 0,
            // A file without a name takes an inode and needs a second one for its name, on tmpfs.
            status.filesFree <= 2
        else { return error }
        error.message = "\(action): the file system has no inodes left"
        let place = (try? System.currentPath(of: directory)).map { path in
            guard isStaging, let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return ShellWord(path).text }
            return ShellWord(path[..<max(slash, 1)]).text
        }
        error.hint =
            "It can hold no more files, however small: remove some, or write to another file system. To see it:\n"
            + "    df -i \(place ?? ".")"
        return error
    }

    /// The error for a file or directory that has as many links as its file system can count.
    /// - Parameters:
    ///   - name: of what can't be made, printable.
    ///   - limit: what is at its limit, and what the limit is.
    static func tooManyLinks(_ name: String, _ limit: String) -> ImageError {
        ImageError(
            .unsupportedFileSystem,
            "can't make \(name): \(limit), the most that the destination's file system allows",
            hint: "Import to another file system: XFS allows 2,147,483,647 (ext4: 65,000 names of a file).",
            cause: .EMLINK
        )
    }
}

extension TreeExtraction {
    func tooManyNames(_ path: EntryPath, of target: EntryPath, _ file: CInt) -> ImageError {
        let count = (try? System.status(of: file).linkCount).map { "\($0)" } ?? "too many"
        return .tooManyLinks(path.description, "\(target.description) has \(count) names already")
    }

    /// For the current directory, in which another one could not be made.
    func tooManyDirectories(_ path: EntryPath) -> ImageError {
        var count = "too many"
        // A directory's links are its name, its "." and the ".." of the directories in it.
        if let links = try? System.status(of: directories.descriptor).linkCount, links > 2 { count = "\(links - 2)" }
        let parent = directories.depth == 0 ? "the tree's root" : printable(directories.path)
        return .tooManyLinks(path.description, "\(parent) has \(count) directories in it already")
    }
}
