import ArgumentParser
import CommandSupport
import FakeRoot
import LinuxFiles

struct SetcapCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "setcap",
        abstract: "Give a program file capabilities on the board, or take them away.",
        discussion: """
            Examples:
              p9serve setcap cap_net_raw+ep rootfs/usr/bin/ping
              p9serve setcap -r rootfs/usr/bin/ping

            To see them: p9serve stat.

            \(ExitCause.help(.notFound, .permission))
            """
    )

    @Argument(
        help: ArgumentHelp(
            "Capabilities as setcap(8) takes them, such as cap_net_raw,cap_net_admin+ep; left out with -r. Then files.",
            valueName: "capabilities path"
        ),
        completion: .file()
    )
    var arguments: [String]

    @Flag(name: [.customShort("r"), .customLong("remove")], help: "Take all capabilities away.")
    var removes = false

    @OptionGroup var tree: TreeOption

    private static let attribute = Array("security.capability".utf8)

    func validate() throws {
        guard arguments.count >= (removes ? 1 : 2) else {
            throw ValidationError(removes ? "Name a file." : "Name the capabilities and a file.")
        }
    }

    func run() throws {
        let capabilities = removes ? nil : try Self.parse(arguments[0])
        let finder = TreePaths(tree)
        let failures = PathFailures()
        for path in arguments.dropFirst(removes ? 0 : 1) {
            try failures.attempt {
                let file = try finder.open(path, following: true)
                guard try file.status().kind == .file else {
                    throw CommandFailure(
                        .badInput,
                        "\(printable(path)) is not a regular file, and only those have capabilities"
                    )
                }
                do throws(Errno) {
                    try Self.set(capabilities, of: file)
                } catch {
                    throw CommandFailure(path: path, "can't change the capabilities of", error)
                }
            }
        }
        try failures.finish()
    }

    private static func parse(_ text: String) throws -> FileCapabilities {
        do throws(FileCapabilities.TextError) {
            return try FileCapabilities(parsing: text)
        } catch {
            throw CommandFailure(
                .badInput,
                "'\(text)' names no capabilities: \(error.reason)",
                advice: "Example: p9serve setcap cap_net_raw+ep rootfs/usr/bin/ping"
            )
        }
    }

    /// - Parameter capabilities: nil to take them away.
    static func set(_ capabilities: FileCapabilities?, of file: borrowing TreeFile) throws(Errno) {
        let name = attribute.span.bytes
        if let capabilities {
            let value = capabilities.value
            return try file.tree.setAttribute(name, of: file.descriptor.raw, to: value.span.bytes, flags: 0)
        }
        do throws(Errno) {
            try file.tree.removeAttribute(name, of: file.descriptor.raw)
        } catch .ENODATA {
            // There are none, as is wanted.
        }
    }
}
