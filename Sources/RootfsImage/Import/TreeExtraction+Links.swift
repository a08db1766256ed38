internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Entries whose path leads through symbolic links of the source: they are put where the links lead.
///
/// A merged /usr (`lib -> usr/lib`) makes such entries common: in kernel packages, in what `tar -r` has added, in the
/// next layer. GNU tar, dpkg and the container engines follow the link, too.
extension TreeExtraction {
    /// The path without links, by which everything else knows the entry. Counts the links.
    /// - Parameter isWhiteout: whether it only removes, so that no directory is made for it.
    func place(_ path: EntryPath, isWhiteout: Bool) throws(Failure) -> EntryPath {
        guard followsLinks, path.parentCount > 0 else { return path }
        var links: [FollowedLink] = []
        guard let place = try directories.resolve(path, isMaking: !isWhiteout, &links) else { return path }
        followedLinks.count(links)
        return place
    }

    static func isWhiteout(_ path: EntryPath) -> Bool {
        !path.isRoot && path.last.starts(with: ".wh.".utf8)
    }

    /// Whether a link to a directory stays where the source has a directory of the same name, as with
    /// `tar --keep-directory-symlink` and dpkg. In a container image a layer's directory replaces what lower layers have.
    var followsDirectoryLinks: Bool { followsLinks && layers.layer == nil }

    /// Puts a directory's entry where the link leads that stands under its name. A directory that is there already stays
    /// as it is.
    func makeDirectory(behind path: EntryPath, _ entry: ImageEntry) throws(Failure) {
        let made: [UInt8]
        do throws(Failure) {
            var links: [FollowedLink] = []
            guard try directories.resolveDirectory(path, isMaking: false, &links) == nil else {
                followedLinks.countKept(path)
                return
            }
            links = []
            made = try directories.resolveDirectory(path, isMaking: true, &links) ?? []
            followedLinks.count(links)
        } catch .refused {
            // A link to a file, for one.
            throw .refused("an earlier entry of this name is of another kind")
        }
        let place: EntryPath
        do throws(EntryPath.Refusal) {
            place = try EntryPath(made, stripsSlash: false)
        } catch {
            throw .refused("behind the symbolic links in its path \(error.rawValue)")
        }
        try makeDirectory(place, entry)
    }
}
