public import ArgumentParser
internal import FakeRoot
internal import LinuxFiles
public import ServedTree

/// What is exported besides the main directory, and how.
public struct ExportOptions: ParsableArguments {
    /// `--export NAME=DIR`, each as it was given.
    @Option(
        name: .customLong("export"),
        help: ArgumentHelp(
            "A further directory, for clients that attach with aname=NAME; may be repeated.",
            valueName: "name=dir"
        )
    )
    /// `--export NAME=DIR`, for each.
    public var named: [String] = []

    /// `--read-only`.
    @Flag(help: "Refuse every change.")
    public var readOnly = false

    /// `--as-is`.
    @Flag(name: .customLong("as-is"), help: "Serve a directory with another tool's metadata, without them.")
    public var asIs = false

    /// For ArgumentParser.
    public init() {}

    /// Opens the exports; the default one is the first.
    /// - Throws: `CommandFailure` for a directory that can't be served, one with another tool's metadata, or a malformed or
    ///   repeated name.
    public func open(default directory: String) throws -> [Export] {
        var wanted = [(name: "", directory: directory)]
        for text in named {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty, !parts[0].contains("/"), !parts[1].isEmpty else {
                throw CommandFailure(
                    .badInput,
                    "--export \(ShellWord(text)) is not NAME=DIR",
                    advice: "Example: --export home=/srv/home"
                )
            }
            guard !wanted.contains(where: { $0.name == parts[0] }) else {
                throw CommandFailure(.badInput, "there are two exports with the name '\(parts[0])'")
            }
            wanted.append((parts[0], parts[1]))
        }
        // All of them first: where a tree's database may lie depends on what else is exported.
        let exported = try wanted.map { (_, directory) in
            do throws(Errno) {
                // Nothing could be found in it, which the board would only learn when it mounts.
                let opened = try System.open(directory, [.readOnly, .directory])
                return try DirectoryID(of: opened.raw)
            } catch {
                throw Self.failure(directory, error)
            }
        }
        return try wanted.map { try open($0.name, $0.directory, avoiding: exported) }
    }

    private func open(_ name: String, _ directory: String, avoiding: [DirectoryID]) throws -> Export {
        let messages = OpeningMessages()
        let export: Export
        do throws(Errno) {
            export = try Export(name: name, directory: directory, isReadOnly: readOnly, avoiding: avoiding) {
                messages.say($0)
            }
        } catch {
            let failure = Self.failure(directory, error)
            throw messages.failure(failure.cause) ?? failure
        }
        messages.finish()
        guard !export.tree.isBeingConverted else { throw Self.failure(directory, .EBUSY) }
        // As it stands it would be all root's, and what a board changes would get into the way of the tool's.
        if !asIs, export.tree.databasePath == nil, let found = ForeignMetadata.find(in: directory) {
            throw CommandFailure(found, of: directory, in: directory)
        }
        if export.tree.storage == .database {
            StandardError.say(
                "\(ShellWord(directory)): the file system has no user extended attributes; owners and modes are kept in "
                    + (export.tree.databasePath.map { ShellWord($0).text } ?? "a database beside it")
            )
        }
        return export
    }

    private static func failure(_ directory: String, _ error: Errno) -> CommandFailure {
        switch error {
        case .ENOENT:
            CommandFailure(
                .notFound,
                "there is no directory \(ShellWord(directory))",
                advice: "To make one from an archive: p9serve import rootfs.tar \(ShellWord(directory))"
            )
        case .ENOTDIR:
            CommandFailure(
                .badInput,
                "\(ShellWord(directory)) is not a directory",
                advice: "An archive has to be imported first: p9serve import \(ShellWord(directory)) rootfs"
            )
        case .EACCES, .EPERM:
            CommandFailure(
                .permission,
                "no permission to open the directory \(ShellWord(directory))",
                advice: "If it is yours: chmod u+rwx \(ShellWord(directory))"
            )
        case .EBUSY:
            CommandFailure(
                .busy,
                "\(ShellWord(directory)) is being converted to another kind of metadata, or that was interrupted",
                advice: "This says what to do: p9serve check \(ShellWord(directory))"
            )
        default:
            CommandFailure(.failure, "can't open the directory \(ShellWord(directory)): \(error.text)")
        }
    }
}
