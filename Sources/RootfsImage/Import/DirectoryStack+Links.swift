internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Following the symbolic links in an entry's path.
///
/// A link is resolved as for a process with the tree as its root directory: an absolute target begins at the tree's root. Each
/// name is opened in the directory before it without following, and a link's text is read from its descriptor; ".." goes back
/// to the directory that the way came from. So nothing outside of the tree can be reached, even if another process replaces a
/// directory meanwhile. The result is the path without links, by which the manifest, hard links and layers know the file.
/// Linux' own resolution (openat2 with RESOLVE_IN_ROOT) gives no such path.
extension DirectoryStack {
    /// As many as Linux follows in a path.
    static let maxLinks = 40
    /// Names on the way, those in the targets of links included.
    private static let maxNames = 4096

    /// Where a path leads.
    struct Resolution {
        /// The directory part as the source has it.
        let parent: [UInt8]
        /// The directory's path without links.
        let resolvedParent: [UInt8]
        /// The links on the way, in the order of their ends.
        let links: [FollowedLink]
    }

    private enum PathStep {
        case name(ArraySlice<UInt8>)
        /// The end of a link's target.
        case end(of: [UInt8])
    }

    /// Finds the place of an entry whose path may go through links.
    /// - Parameters:
    ///   - isMaking: whether missing directories are made, as in `enterParent`.
    ///   - links: gets the links on the way.
    /// - Returns: the path without links; nil if a directory on the way is missing.
    func resolve(_ path: EntryPath, isMaking: Bool, _ links: inout [FollowedLink]) throws(Failure) -> EntryPath? {
        guard path.parentCount > 0 else { return path }
        if let last = lastResolution, last.parent == path.parent {
            links = last.links
            return try place(last.resolvedParent, path.last)
        }
        let names = (0..<path.parentCount).map { path.component($0) }
        guard try walk(names, isMaking: isMaking, &links) else { return nil }
        guard !links.isEmpty else { return path }
        lastResolution = Resolution(parent: path.parent, resolvedParent: self.path, links: links)
        return try place(self.path, path.last)
    }

    /// Finds the directory that a path leads to, a link at its end followed as well, and goes into it.
    /// - Returns: its path without links; nil if a directory on the way is missing.
    func resolveDirectory(
        _ path: EntryPath,
        isMaking: Bool,
        _ links: inout [FollowedLink]
    ) throws(Failure) -> [UInt8]? {
        let names = (0...path.parentCount).map { path.component($0) }
        return try walk(names, isMaking: isMaking, &links) ? self.path : nil
    }

    private func place(_ parent: [UInt8], _ name: ArraySlice<UInt8>) throws(Failure) -> EntryPath {
        do throws(EntryPath.Refusal) {
            return try EntryPath(parent.isEmpty ? Array(name) : parent + [UInt8(ascii: "/")] + name, stripsSlash: false)
        } catch {
            throw .refused("behind the symbolic links in its path \(error.rawValue)")
        }
    }

    /// - Returns: false if a directory is missing.
    private func walk(
        _ names: [ArraySlice<UInt8>],
        isMaking: Bool,
        _ links: inout [FollowedLink]
    ) throws(Failure) -> Bool {
        var pending = names.reversed().map { PathStep.name($0) }
        pending.removeLast(try leave(for: names))
        var followed = 0
        var passed = 0
        var hasMade = false
        var via = ""
        while let step = pending.popLast() {
            guard case .name(let name) = step else {
                if case .end(let link) = step { links.append(FollowedLink(path: link, destination: path)) }
                continue
            }
            passed += 1
            guard passed <= Self.maxNames else {
                throw .refused("its path with the symbolic links in it has more than \(Self.maxNames) names")
            }
            if name.elementsEqual("..".utf8) {
                guard depth > 0 else { throw .refused("\(via), which leads out of the tree") }
                // A directory that was made just now has no links in it.
                guard !hasMade else { throw .refused("\(via), which leads through a directory that is not there") }
                try leave(to: depth - 1)
                continue
            }
            switch try enter(name) {
            case .directory: break
            case .missing:
                guard isMaking else { return false }
                try checkDepth()
                try makeImplied(name)
                hasMade = true
            case .other:
                // Beneath a file there is nothing to remove.
                guard isMaking else { return false }
                throw .refused(
                    followed == 0
                        ? "\(printable(name)) in its path is not a directory"
                        : "\(via), where \(printable(name)) is not a directory"
                )
            case .symlink(let target):
                followed += 1
                guard followed <= Self.maxLinks else {
                    throw .refused("its path leads through more than \(Self.maxLinks) symbolic links")
                }
                via =
                    "\(printable(name)) in its path is a symbolic link to \(ImageError.displayed([], target, limit: 255))"
                pending.append(.end(of: path.isEmpty ? Array(name) : path + [UInt8(ascii: "/")] + name))
                let parts = try Self.names(in: target, via)
                if target.first == UInt8(ascii: "/") { try leave(to: 0) }
                pending += parts.reversed().map { .name($0) }
            }
        }
        return true
    }

    private func checkDepth() throws(Failure) {
        guard let refusal = EntryPath.refusal(depth: depth + 1, length: 0) else { return }
        throw .refused("behind the symbolic links in its path \(refusal.rawValue)")
    }

    private static func names(in target: [UInt8], _ via: String) throws(Failure) -> [ArraySlice<UInt8>] {
        var names: [ArraySlice<UInt8>] = []
        for part in target.split(separator: UInt8(ascii: "/")) {
            if !part.elementsEqual("..".utf8) {
                do throws(EntryPath.Refusal) {
                    guard try EntryPath.isName(part) else { continue }
                } catch {
                    throw .refused("\(via): \(error.rawValue)")
                }
            }
            names.append(part)
        }
        return names
    }
}
