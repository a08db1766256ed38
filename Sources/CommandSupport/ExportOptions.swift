public import ArgumentParser
internal import FakeRoot
internal import LinuxFiles
public import P9Server

/// What is exported besides the main directory, and how.
public struct ExportOptions: ParsableArguments {
    @Option(
        name: .customLong("export"),
        help: ArgumentHelp(
            "A further directory, for clients that attach with aname=NAME; may be repeated.",
            valueName: "name=dir"
        )
    )
    public var named: [String] = []

    @Flag(help: "Refuse every change.")
    public var readOnly = false

    public init() {}

    /// Opens the exports; the default one is the first.
    /// - Throws: `CommandFailure` for a directory that can't be served, or a malformed or repeated name.
    public func open(default directory: String) throws -> [Export] {
        var exports = [try open("", directory)]
        for text in named {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty, !parts[0].contains("/"), !parts[1].isEmpty else {
                throw CommandFailure(
                    .badInput,
                    "--export \(text) is not NAME=DIR",
                    advice: "Example: --export home=/srv/home"
                )
            }
            guard !exports.contains(where: { $0.name == parts[0] }) else {
                throw CommandFailure(.badInput, "there are two exports with the name '\(parts[0])'")
            }
            exports.append(try open(parts[0], parts[1]))
        }
        return exports
    }

    private func open(_ name: String, _ directory: String) throws -> Export {
        do throws(Errno) {
            // Nothing could be found in it, which the board would only learn when it mounts.
            _ = try System.open(directory, [.readOnly, .directory])
            let export = try Export(name: name, directory: directory, isReadOnly: readOnly) {
                StandardError.say($0)
            }
            guard !export.tree.isBeingConverted else { throw Errno.EBUSY }
            if export.tree.storage == .database {
                StandardError.say(
                    "\(directory): the file system has no user extended attributes; owners and modes are kept in "
                        + (export.tree.databasePath ?? "a database beside it")
                )
            }
            return export
        } catch {
            switch error {
            case .ENOENT:
                throw CommandFailure(
                    .notFound,
                    "there is no directory \(directory)",
                    advice: "To make one from an archive: p9serve import rootfs.tar \(directory)"
                )
            case .ENOTDIR:
                throw CommandFailure(
                    .badInput,
                    "\(directory) is not a directory",
                    advice: "An archive has to be imported first: p9serve import \(directory) rootfs"
                )
            case .EACCES, .EPERM:
                throw CommandFailure(
                    .permission,
                    "no permission to open the directory \(directory)",
                    advice: "If it is yours: chmod u+rwx \(directory)"
                )
            case .EBUSY:
                throw CommandFailure(
                    .busy,
                    "\(directory) is being converted to another kind of metadata, or that was interrupted",
                    advice: "Finish it with the same p9serve convert command."
                )
            default:
                throw CommandFailure(.failure, "can't open the directory \(directory): \(error.text)")
            }
        }
    }
}
