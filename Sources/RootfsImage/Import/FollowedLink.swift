internal import ImageEntries
internal import LinuxFiles

/// A symbolic link of the source that an entry's path goes through.
struct FollowedLink: Hashable {
    /// Its path without links before it, relative to the root.
    var path: [UInt8]
    /// The directory that it leads to, without links; empty for the root.
    var destination: [UInt8]
}

/// The symbolic links that an import has followed, for its warnings; of bounded size.
struct FollowedLinks {
    /// How many links are remembered one by one.
    private static let maxLinks = 10

    /// Entries that were put where links lead.
    private(set) var entries = 0
    private var links: [(link: FollowedLink, entries: Int)] = []
    /// Entries that were put where links lead that are not remembered.
    private var others = 0
    /// Directories that the source has in the place of links to directories: how many, and the first ones' paths.
    private var kept = (count: 0, first: [String]())

    /// Counts an entry.
    /// - Parameter passed: the links in its path.
    mutating func count(_ passed: [FollowedLink]) {
        guard !passed.isEmpty else { return }
        entries += 1
        var isRemembered = false
        for link in Set(passed) {
            if let index = links.firstIndex(where: { $0.link == link }) {
                links[index].entries += 1
            } else if links.count < Self.maxLinks {
                links.append((link, 1))
            } else {
                continue
            }
            isRemembered = true
        }
        if !isRemembered { others += 1 }
    }

    /// Counts a directory's entry in the place of a link that stays.
    mutating func countKept(_ path: EntryPath) {
        kept.count += 1
        if kept.first.count < 3, !kept.first.contains(path.description) { kept.first.append(path.description) }
    }

    /// One sentence a link; printable.
    var notices: [String] {
        func entries(_ count: Int) -> String { count == 1 ? "1 entry was" : "\(count) entries were" }
        var notices = links.map { link, count in
            let destination = link.destination.isEmpty ? "the tree's root" : ImageError.displayed(link.destination)
            return "\(ImageError.displayed(link.path)) leads to \(destination): \(entries(count)) put there"
        }
        if others > 0 { notices.append("\(entries(others)) put where other symbolic links lead") }
        if kept.count > 0 {
            let names = kept.first.joined(separator: ", ") + (kept.count > kept.first.count ? " and others" : "")
            notices.append(
                "\(kept.count == 1 ? "1 directory stands" : "\(kept.count) directories stand") in the place of symbolic "
                    + "links to directories; the links stay, and the directories that they lead to keep owner, mode and time: "
                    + names
            )
        }
        return notices
    }
}
