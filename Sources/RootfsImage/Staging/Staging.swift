internal import ImageEntries
internal import LinuxFiles

/// A file or directory that is made under a hidden name beside its destination, so on the same file system: it becomes the
/// destination by one rename.
///
/// Made → filled, by `descriptor` → published. Without publishing it goes away with this value, after an error or a
/// cancellation. The next process removes what a killed one has left. `StagingPlace` has the names, and says how others see
/// that one is in use.
struct Staging: ~Copyable {
    /// What is being done. It is a part of the hidden name: exports leave the leftovers of imports alone.
    enum Purpose {
        /// A tree, which may have a database beside it.
        case importing
        case exporting
        /// For an export, and never published: what must be whole before the target can be written.
        case scratch

        fileprivate var word: StaticString {
            switch self {
            case .importing: "importing"
            case .exporting, .scratch: "exporting"
            }
        }
    }

    enum Shape {
        case file
        case directory
    }

    /// What stands under the destination's name already.
    enum Predecessor {
        case nothing
        /// A file, or an empty directory: the rename replaces it.
        case replaced
        /// A directory with content that is to go: it changes names with ours, and is removed.
        case exchanged
    }

    let destination: Destination
    private let place: StagingPlace
    private let purpose: Purpose
    let shape: Shape
    private let predecessor: Predecessor
    private var isPublished = false

    /// A file is open for reading and writing, a directory for reading.
    var descriptor: CInt { place.descriptor.raw }
    /// What killed processes had left, and was removed.
    var leftoversRemoved: Int { place.leftoversRemoved }

    /// - Parameter mode: the permission bits; whoever fills it may change them.
    /// - Throws: `busy` if another process is making the destination.
    init(
        _ destination: consuming Destination,
        _ purpose: Purpose,
        _ shape: Shape,
        mode: UInt32,
        replacing predecessor: Predecessor
    ) throws(ImageError) {
        let parent = destination.parent.raw
        let place: StagingPlace
        do throws(Errno) {
            place = try StagingPlace.take(
                for: destination.last,
                purpose.word,
                in: parent,
                // What is only needed to write the target lies beside that while both are made.
                mayShare: purpose == .scratch
            ) { name in
                // The tree goes last: by it the next import finds what is left, should this one be killed.
                if purpose == .importing { TreeDatabase.remove(ofTree: name, in: parent) }
            } make: { (name) throws(Errno) in
                switch shape {
                case .file:
                    let flags: OpenMode = [.readWrite, .create, .exclusive, .noFollow]
                    return try System.open(at: parent, name, flags, mode: mode)
                case .directory:
                    try System.makeDirectory(at: parent, name, mode: mode)
                    return try System.open(at: parent, name, [.readOnly, .directory, .noFollow])
                }
            }
        } catch .EBUSY {
            throw ImageError(
                .busy,
                "another p9serve is making \(ShellWord(destination.path)) just now",
                hint: "Wait until it is done, or choose another name.",
                cause: .EBUSY
            )
        } catch {
            let noun = purpose == .importing ? "directory" : "file"
            let action = "can't make a \(noun) in \(ShellWord(destination.parentPath))"
            throw .writing(action, error, in: parent, isStaging: false)
        }
        self.destination = destination
        self.place = place
        self.purpose = purpose
        self.shape = shape
        self.predecessor = predecessor
    }

    /// Gives it the destination's name. What it holds must be on the disk already, if that matters.
    /// - Parameter isSynchronized: whether to write the new name to the disk, too; best effort, since the name exists already.
    /// - Returns: an exchanged predecessor that can't be removed: its name beside the destination, and why.
    /// - Throws: `EEXIST` if somebody else has made the destination meanwhile, or filled the empty directory.
    consuming func publish(isSynchronized: Bool) throws(Errno) -> (name: [UInt8], reason: Errno)? {
        do throws(Errno) {
            try place.name.withCString { (name) throws(Errno) in
                try destination.name.withCString { (target) throws(Errno) in
                    let parent = destination.parent.raw
                    if predecessor == .exchanged { return try System.exchange(at: parent, name, target) }
                    // Over an empty directory the rename is atomic too, and it fails if that has been filled meanwhile.
                    let replaces = predecessor == .replaced
                    try System.rename(at: parent, name, to: parent, target, replacing: replaces)
                }
            }
        } catch .ENOTEMPTY, .ENOTDIR, .EISDIR {
            throw .EEXIST
        }
        isPublished = true
        if isSynchronized { try? System.synchronizeDirectory(destination.parent.raw) }
        guard predecessor == .exchanged else { return nil }
        do throws(Errno) {
            try System.removeTree(at: destination.parent.raw, place.name)
            return nil
        } catch {
            return (place.nameBytes, error)
        }
    }

    deinit {
        guard !isPublished else { return }
        if purpose == .importing {
            TreeDatabase.remove(ofTree: place.nameBytes, in: destination.parent.raw)
        }
        try? System.removeTree(at: destination.parent.raw, place.name)
    }
}
