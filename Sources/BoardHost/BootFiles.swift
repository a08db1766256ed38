internal import FakeRoot
internal import LinuxFiles
public import RPiBoot
internal import USBHost

/// What Raspberry Pis are loaded from: a directory, or one that is made of the tree that they mount. Belongs to one thread.
public final class BootFiles {
    private let choice: BootChoice
    /// The tree that boards mount; nil where only boards are loaded.
    private let tree: Tree?
    private let script: BootScript?
    /// Where directories are made that the user has not named.
    private let cache: String
    /// What was told last of directories that no longer fit.
    private var told: [String: TreeChanges] = [:]

    private final class Tree {
        let path: String
        let root: OwnedDescriptor

        init(_ path: String) throws(Errno) {
            self.path = path
            root = try System.open(path, [.readOnly, .directory])
        }
    }

    /// A directory alone, without a tree to compare it with.
    public init(_ directory: BootDirectory) {
        choice = .directory(directory.path)
        tree = nil
        script = nil
        cache = ""
    }

    /// What the user has chosen, for boards that mount a tree.
    /// - Throws: `BoardFailure`: `.noBootScript`, `.noCache`, `.unnamedTree`.
    public convenience init(_ choice: BootChoice, tree: String) throws(BoardFailure) {
        guard let tree = BootScript.absolutePath(tree) else { throw .unnamedTree(tree) }
        switch choice {
        case .directory: try self.init(choice, tree: tree, script: try? BootScript(), cache: "")
        case .automaticDirectory: try self.init(choice, tree: tree, script: BootScript(), cache: "")
        case .automatic: try self.init(choice, tree: tree, script: BootScript(), cache: Self.cache(of: tree))
        }
    }

    /// - Parameter cache: the directory for directories that the user has not named.
    init(_ choice: BootChoice, tree path: String, script: BootScript?, cache: String) throws(BoardFailure) {
        self.choice = choice
        self.script = script
        self.cache = cache
        do throws(Errno) {
            tree = try Tree(path)
        } catch {
            throw .unnamedTree(path)
        }
    }

    /// One directory for each tree, with a name that a person can read.
    private static func cache(of tree: String) throws(BoardFailure) -> String {
        let home = System.environment("HOME").map { "\($0)/.cache" }
        guard let parent = System.environment("XDG_CACHE_HOME") ?? home else { throw .noCache }
        let name = tree.split(separator: "/").last ?? "root"
        let hash = tree.utf8.withContiguousStorageIfAvailable { SHA256.text(SHA256.hash($0.span.bytes)) } ?? ""
        return "\(parent)/usb9pfs/rpiboot/\(name)-\(hash.prefix(12))"
    }

    /// The directory for a board with this processor, as the user or the cache names it.
    public func path(for chip: BootChip) -> String {
        switch choice {
        case .directory(let path), .automaticDirectory(let path): path
        case .automatic(let model): "\(cache)/\(model ?? chip.model)"
        }
    }

    /// Looks before the first board comes: whether there is a directory, and whether it fits the tree.
    /// - Throws: as `directory`.
    func prepare(until stop: StopRequest, report: (BoardEvent) -> Void) throws(BoardFailure) {
        if case .automatic(nil) = choice { return }
        // It is the same for every processor.
        _ = try directory(for: .bcm2711, until: stop, report: report)
    }

    /// The directory for a board that has just come: opened anew, as another may have its name by now, and made anew if that
    /// is wanted and the tree has changed.
    /// - Throws: `BoardFailure`, such as `.bootDirectory`, `.nothingToLoad`, `.notMade`, `.stoppedBeforeLoaded`.
    func directory(
        for chip: BootChip,
        until stop: StopRequest,
        report: (BoardEvent) -> Void
    ) throws(BoardFailure) -> BootDirectory {
        let path = path(for: chip)
        switch choice {
        case .directory:
            let directory = try BootDirectory.open(path)
            tell(directory, report)
            return directory
        case .automatic(let model):
            return try made(path, model ?? chip.model, stop, report)
        case .automaticDirectory:
            return try made(path, nil, stop, report)
        }
    }

    /// Tells if a directory no longer fits the tree; the same only once.
    private func tell(_ directory: BootDirectory, _ report: (BoardEvent) -> Void) {
        guard let tree, let source = directory.manifest?.source else { return }
        let changes = TreeChanges(since: source, in: tree.root)
        if !changes.isEmpty, changes != told[directory.path] {
            let script = script?.path ?? "scripts/boot/rpi"
            let command = BootScript.command(script, source.arguments, tree: tree.path, directory: directory.path)
            report(.outdated(directory: directory.path, tree: tree.path, changes, command: command))
        }
        told[directory.path] = changes
    }

    private func made(
        _ path: String,
        _ model: String?,
        _ stop: StopRequest,
        _ report: (BoardEvent) -> Void
    ) throws(BoardFailure) -> BootDirectory {
        guard let tree, let script else { preconditionFailure("nothing is made without a tree and the script") }
        let existing = try? BootDirectory(path)
        let usable = existing.flatMap { $0.chips.isEmpty ? nil : $0 }
        let source = existing?.manifest?.source
        if let usable, let source {
            let changes = TreeChanges(since: source, in: tree.root)
            guard !changes.isEmpty else { return usable }
            report(.outdated(directory: path, tree: tree.path, changes, command: nil))
        }
        guard let arguments = source?.arguments ?? model.map({ ["--model", $0] }) else { throw .noManifest(path) }
        let command = BootScript.command(script.path, arguments, tree: tree.path, directory: path)
        report(.making(directory: path, command))
        do throws(BoardFailure) {
            try BootScript.run(command, for: path, until: stop)
        } catch {
            guard let usable, error != .stoppedBeforeLoaded else { throw error }
            // The old kernel and its initramfs still start; what they lack is told.
            report(.failed(error))
            return usable
        }
        return try BootDirectory.open(path)
    }
}

extension BootChip {
    /// The name of `scripts/boot/rpi` for all boards that have it.
    fileprivate var model: String {
        switch self {
        case .bcm2837: "bcm2837"
        case .bcm2711: "bcm2711"
        case .bcm2712: "bcm2712"
        }
    }
}
