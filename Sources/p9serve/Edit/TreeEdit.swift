import ArgumentParser
import CommandSupport
import FakeRoot
import LinuxFiles

/// What `chown` and `chmod` have in common.
struct TreeEdit: ParsableArguments {
    @OptionGroup var tree: TreeOption

    @Flag(
        name: [.customShort("R"), .customLong("recursive")],
        help: "Directories with all that is in them; symbolic links in them are not followed."
    )
    var isRecursive = false

    @Flag(name: [.customShort("h"), .customLong("no-dereference")], help: "A symbolic link itself.")
    var keepsLinks = false

    /// Changes each file, and with -R what is in it; goes on after one that can't be changed.
    /// - Parameter removesCapabilities: whether a program loses its capabilities by the change.
    func apply(
        to paths: [String],
        removesCapabilities: Bool = false,
        _ change: (borrowing TreeFile) throws -> OwnerAndMode?
    ) throws {
        let finder = TreePaths(tree)
        let failures = PathFailures()
        for path in paths {
            try failures.attempt {
                let file = try finder.open(path, following: !isRecursive && !keepsLinks)
                try apply(to: file, removesCapabilities, failures, change)
            }
        }
        try failures.finish()
    }

    private func apply(
        to file: borrowing TreeFile,
        _ removesCapabilities: Bool,
        _ failures: PathFailures,
        _ change: (borrowing TreeFile) throws -> OwnerAndMode?
    ) throws {
        do {
            try Self.apply(to: file, removesCapabilities, change)
        } catch let failure as CommandFailure {
            failures.note(failure)
        }
        guard try isRecursive && file.isDirectory else { return }
        try TreeFileWalk(failures).run(from: file) { directory in
            var inner: [[UInt8]] = []
            for name in directory.names {
                try failures.attempt {
                    let child = try directory.child(name)
                    if try child.isDirectory { inner.append(name) }
                    try Self.apply(to: child, removesCapabilities, change)
                }
            }
            return inner
        }
    }

    private static func apply(
        to file: borrowing TreeFile,
        _ removesCapabilities: Bool,
        _ change: (borrowing TreeFile) throws -> OwnerAndMode?
    ) throws {
        guard let new = try change(file) else { return }
        do throws(Errno) {
            try file.tree.change(file.descriptor.raw, new)
            guard removesCapabilities, try file.tree.status(of: file.descriptor.raw).kind == .file else { return }
            try SetcapCommand.set(nil, of: file)
        } catch {
            throw CommandFailure(path: file.path, "can't change", error)
        }
    }
}

extension TreeFile {
    /// Whether the host has a directory there.
    fileprivate var isDirectory: Bool {
        get throws {
            do throws(Errno) {
                return try System.status(of: descriptor.raw).format == .directory
            } catch {
                throw CommandFailure(path: path, "can't look at", error)
            }
        }
    }
}
