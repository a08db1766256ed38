internal import FakeRoot
internal import LinuxFiles

/// The open directories from the tree's root to where entries are being made.
///
/// Neighbours in an archive share most of their path, so a directory is seldom opened twice; and nothing is ever found
/// by a path: each directory is opened by its name in the one before, and a symbolic link is no directory. A directory's
/// modification time is put back when it is left, so no list of all directories is needed.
final class DirectoryStack {
    private final class Level {
        let name: [UInt8]
        let descriptor: OwnedDescriptor
        /// What the modification time shall be once nothing more is made here; nil while nothing was.
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

    enum Failure: Error {
        /// A component of the path, as it may be printed, that is no directory.
        case notDirectory(String)
        case symlink(String)
        case system(Errno)
    }

    init(_ tree: FakeRootTree) throws(Errno) {
        self.tree = tree
        let root = try System.open(at: tree.root.raw, ".", [.path, .directory])
        rootLevel = Level([], root, time: nil)
    }

    /// Goes to the directory of an entry, making those that are missing as 0:0 with mode 0755.
    /// - Returns: its descriptor, O_PATH, valid until the next call.
    func enterParent(of path: EntryPath) throws(Failure) -> CInt {
        var common = 0
        while common < levels.count, common < path.parentCount,
            path.component(common).elementsEqual(levels[common].name)
        {
            common += 1
        }
        do throws(Errno) {
            while levels.count > common { try leave() }
        } catch {
            throw .system(error)
        }
        for index in common..<path.parentCount { try enter(path.component(index)) }
        return current.descriptor.raw
    }

    private var current: Level { levels.last ?? rootLevel }

    private func enter(_ component: ArraySlice<UInt8>) throws(Failure) {
        do throws(Errno) {
            let name = try FileName(component.span.bytes)
            let descriptor: OwnedDescriptor
            do throws(Errno) {
                descriptor = try tree.lookup(name, in: current.descriptor.raw)
            } catch .ENOENT {
                try willChange()
                try tree.createDirectory(
                    name,
                    in: current.descriptor.raw,
                    owner: Owner(uid: 0, gid: 0),
                    permissions: 0o755
                )
                impliedCount += 1
                descriptor = try tree.lookup(name, in: current.descriptor.raw)
                let path = levels.flatMap { $0.name + [UInt8(ascii: "/")] } + component
                try onImplied?(path, descriptor.raw)
            }
            let format = try System.status(of: descriptor.raw).format
            guard format == .directory else { throw format == .symlink ? .ELOOP : .ENOTDIR }
            levels.append(Level(Array(component), descriptor, time: nil))
        } catch .ELOOP {
            throw .symlink(printable(component))
        } catch .ENOTDIR {
            throw .notDirectory(printable(component))
        } catch {
            throw .system(error)
        }
    }

    /// Goes down into a directory just made in the current one.
    /// - Parameter time: what its modification time shall be in the end.
    func enter(
        _ component: ArraySlice<UInt8>,
        _ descriptor: consuming OwnedDescriptor,
        time: FileTime?
    ) {
        levels.append(Level(Array(component), descriptor, time: time))
    }

    /// Must be called before a name is added to or removed from the current directory.
    func willChange() throws(Errno) {
        guard current.time == nil else { return }
        current.time = try System.status(of: current.descriptor.raw).modificationTime
    }

    /// Sets what the root's modification time shall be in the end.
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
