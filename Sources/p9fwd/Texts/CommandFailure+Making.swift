import BoardHost
import CommandSupport
import LinuxFiles
import RPiBoot

/// What a user is told when a boot directory can't be made.
extension CommandFailure {
    static func unnamedTree(_ path: String) -> CommandFailure {
        CommandFailure(
            .failure,
            "\(ShellWord(path)) can't be compared with a boot directory: its path is unknown, or not UTF-8",
            advice: "Serve it by another path, or without --rpiboot."
        )
    }

    static func noBootScript(_ places: [String]) -> CommandFailure {
        CommandFailure(
            .notFound,
            "there is no boot/rpi in \(places.map { ShellWord($0).text }.joined(separator: ", ")), which makes a boot directory",
            advice:
                "USB9PFS_SCRIPTS names the directory 'scripts' of usb9pfs. Or name a directory that is made: --rpiboot DIR"
        )
    }

    static let noCache = CommandFailure(
        .failure,
        "there is no place for the boot directory: neither HOME nor XDG_CACHE_HOME is set",
        advice: "Set one of them, or name a directory that scripts/boot/rpi has made: --rpiboot auto:DIR"
    )

    static func noManifest(_ path: String) -> CommandFailure {
        CommandFailure(
            .badInput,
            "\(ShellWord(path)) can't be made anew: it is no boot directory that scripts/boot/rpi --from has made",
            advice: "For a model: --rpiboot auto:rpi4; to take the directory as it is: --rpiboot DIR"
        )
    }

    static func notMade(_ path: String, _ command: [String], _ said: String) -> CommandFailure {
        let lines = said.split(separator: "\n").suffix(12).map { "  \(printable(String($0)))\n" }.joined()
        return CommandFailure(
            .failure,
            "can't make \(ShellWord(path)) from the tree",
            advice: lines + "To see more: \(ShellWord.commandLine(command))"
        )
    }
}

extension TreeChanges {
    /// What a person wants to know: the kernels first, and not every module.
    var sentence: String {
        let parts = [("new kernel", newKernels), ("changed", changed), ("gone", gone)]
        return parts.filter { !$0.1.isEmpty }.map { kind, paths in
            let more = paths.count > 3 ? " and \(paths.count - 3) more" : ""
            return "\(kind) \(paths.prefix(3).map { printable($0) }.joined(separator: ", "))\(more)"
        }.joined(separator: "; ")
    }
}
