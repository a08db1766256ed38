import ImageEntries
import LinuxFiles
import ArgumentParser
import CommandSupport
import LinuxFiles
import RootfsImage
import TreeTools

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Look for labels that are lost or wrong, and for what has changed since the import.",
        discussion: """
            Tools that replace a file (sed -i, git checkout, rsync -a, cp) lose its label; what the import knows of it \
            comes back when the server next meets the file, or with --repair. Changes nothing without --repair; the \
            directory may be in use.

            Examples:
              p9serve check rootfs
              p9serve check rootfs --repair
              p9serve check --hash --json rootfs

            Exit code 0 means that all is well, or is now, 1 also that problems are left. A change since the import \
            does not count as a problem.

            \(ExitCause.help(.notFound, .permission))
            """
    )

    @Argument(help: ArgumentHelp("The tree's directory.", valueName: "dir"), completion: .directory)
    var directory: String

    @Flag(help: "Mend what can be mended.")
    var repair = false

    @Flag(help: "Compare the content of every file with the import's, not only of those with another size or time.")
    var hash = false

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(name: .shortAndLong, help: "Every path, not only the first of each kind.")
    var all = false

    @Flag(name: .customLong("as-is"), help: "Pass over another tool's metadata, which the directory has.")
    var asIs = false

    func run() throws {
        let report = try CommandFailure.documented(json, version: 2) { try check() }
        let view = CheckView(report, directory: directory, showsAll: all)
        if json { JSONValue.printDocument(version: 2, view.members) } else { print(view.text, terminator: "") }
        if report.hasProblems {
            throw CommandFailure(
                .failure,
                "\(ShellWord(directory)) has problems",
                advice: repair ? view.remainder : view.advice
            )
        }
    }

    private func check() throws -> CheckReport {
        let cancellation = Cancellation()
        try SignalWaiter.cancelOnSignals(cancellation)
        var options = TreeCheck.Options()
        options.repairs = repair
        options.hashesAll = hash
        let check = TreeCheck(directory: directory, options: options, cancellation: cancellation)
        let line = ProgressLine(isEnabled: !json)
        defer { line.clear() }
        do throws(ImageError) {
            try TreeArgument.verify(directory, isForeignAccepted: asIs)
            return try check.run { files in line.show { ProgressLine.State(text: "\(files) files") } }
        } catch {
            throw CommandFailure(error)
        }
    }
}
