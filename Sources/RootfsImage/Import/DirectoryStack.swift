internal import FakeRoot
internal import LinuxFiles

/// The open directories from the tree's root to where entries are being made.
///
/// Neighbours in an archive share most of their path, so a directory is seldom opened twice. No path is ever looked up: each
/// directory is opened by its name in the one before, and symbolic links are not followed; `resolve` finds where they lead,
/// name by name as well. A directory's modification time is put back when it is left, so no list of all directories is
/// needed.
final class DirectoryStack {
    private final class Level {
        let name: [UInt8]
        let descriptor: OwnedDescriptor
        /// The modification time to set once nothing more is made here; nil while nothing was.
        var time: FileTime?

        init(_ name: [UInt8], _ descriptor: consuming OwnedDescriptor, time: FileTime?) {
            self.name = name
            self.descriptor = descriptor
            self.time = time
        }
    }

    private let tree: FakeRootTree
    private let rootLevel: Level
    /// Without the root.
    private var levels: [Level] = []
    /// Called with the path and the descriptor of a directory that was made since an entry lies in it.
    var onImplied: (([UInt8], CInt) throws(Errno) -> Void)?
    /// Directories that the archive does not list but that its entries lie in.
    private(set) var impliedCount = 0
    /// Where the last path led that goes through symbolic links; nil if that may not hold any more.
    var lastResolution: Resolution?

    typealias Failure = TreeExtraction.Failure

    /// What stands under a name.
    enum Step {
        case directory
        case missing
        /// With its target.
        case symlink([UInt8])
        case other
    }

    init(_ tree: FakeRootTree) throws(Errno) {
        self.tree = tree
        let root = try System.open(at: tree.root.raw, ".", [.path, .directory])
        // As any directory that no entry tells the time of.
        rootLevel = Level([], root, time: .unknown)
    }

    /// Goes to the directory of an entry, making those that are missing as 0:0 with mode 0755 and the time `unknown`.
    /// - Parameter path: goes through no symbolic link; one is refused.
    /// - Returns: its descriptor, O_PATH, valid until the next call.
    func enterParent(of path: EntryPath) throws(Failure) -> CInt {
        let names = (0..<path.parentCount).map { path.component($0) }
        for name in names[try leave(for: names)...] {
            switch try enter(name) {
            case .directory: break
            case .missing: try makeImplied(name)
            case .symlink: throw .linked("\(printable(name)) in its path is a symbolic link")
            case .other: throw .refused("\(printable(name)) in its path is not a directory")
            }
        }
        return descriptor
    }

    /// The current directory, O_PATH.
    var descriptor: CInt { current.descriptor.raw }

    private var current: Level { levels.last ?? rootLevel }

    /// How many directories lie between the root and the current one, itself included.
    var depth: Int { levels.count }

    /// The path of the current directory; empty for the root.
    var path: [UInt8] { Array(levels.map(\.name).joined(separator: [UInt8(ascii: "/")])) }

    /// Leaves the directories that don't lie on a way from the root.
    /// - Returns: how many of the way's names are left behind already.
    func leave(for names: [ArraySlice<UInt8>]) throws(Failure) -> Int {
        var common = 0
        while common < levels.count, common < names.count, names[common].elementsEqual(levels[common].name) {
            common += 1
        }
        try leave(to: common)
        return common
    }

    /// Goes up.
    func leave(to depth: Int) throws(Failure) {
        do throws(Errno) {
            while levels.count > depth { try leave() }
        } catch {
            throw .system(error)
        }
    }

    /// Goes into a directory of the current one, if there is one of this name.
    func enter(_ component: ArraySlice<UInt8>) throws(Failure) -> Step {
        do throws(Errno) {
            let descriptor = try tree.lookup(FileName(component.span.bytes), in: current.descriptor.raw)
            switch try System.status(of: descriptor.raw).format {
            case .directory:
                levels.append(Level(Array(component), descriptor, time: nil))
                return .directory
            case .symlink: return .symlink(try System.linkTarget(of: descriptor.raw))
            default: return .other
            }
        } catch .ENOENT {
            return .missing
        } catch {
            throw .system(error)
        }
    }

    /// Makes a directory in the current one since an entry lies in it, and goes into it.
    func makeImplied(_ component: ArraySlice<UInt8>) throws(Failure) {
        do throws(Errno) {
            let name = try FileName(component.span.bytes)
            try willChange()
            let parent = current.descriptor.raw
            try tree.createDirectory(name, in: parent, owner: Owner(uid: 0, gid: 0), permissions: 0o755)
            impliedCount += 1
            let descriptor = try tree.lookup(name, in: parent)
            levels.append(Level(Array(component), descriptor, time: .unknown))
            try onImplied?(path, current.descriptor.raw)
        } catch {
            throw .system(error)
        }
    }

    /// Goes down into a directory just made in the current one.
    /// - Parameter time: its final modification time.
    func enter(_ component: ArraySlice<UInt8>, _ descriptor: consuming OwnedDescriptor, time: FileTime) {
        levels.append(Level(Array(component), descriptor, time: time))
    }

    /// Must be called before a name is added to or removed from the current directory.
    func willChange() throws(Errno) {
        guard current.time == nil else { return }
        current.time = try System.status(of: current.descriptor.raw).modificationTime
    }

    /// Must be called when something was removed or replaced: a path may lead elsewhere then.
    func didRemove() { lastResolution = nil }

    /// Sets the root's final modification time.
    func setRootTime(_ time: FileTime) {
        rootLevel.time = time
    }

    private func leave() throws(Errno) {
        let level = current
        if let time = level.time {
            try System.setTimes(of: level.descriptor.raw, access: .keep, modification: .to(time))
        }
        _ = levels.popLast()
    }

    /// Leaves all directories. The root's time is set last.
    func finish() throws(Errno) {
        while !levels.isEmpty { try leave() }
        if let time = rootLevel.time {
            try System.setTimes(of: rootLevel.descriptor.raw, access: .keep, modification: .to(time))
        }
    }
}

extension FileTime {
    /// The time of what the source tells no time of, such as a directory that it only implies: 1970-01-01, and never the
    /// moment of the import, so that two imports of one source give the same.
    static let unknown = FileTime(seconds: 0, nanoseconds: 0)
}
