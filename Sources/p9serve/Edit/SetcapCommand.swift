import ArgumentParser
import CommandSupport
import TreeTools

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

    func validate() throws {
        guard arguments.count >= (removes ? 1 : 2) else {
            throw ValidationError(removes ? "Name a file." : "Name the capabilities and a file.")
        }
    }

    func run() throws {
        let capabilities = removes ? nil : try TreeEditor.capabilities(arguments[0])
        let files = Array(arguments.dropFirst(removes ? 0 : 1))
        try TreeEditor(tree.paths).setCapabilities(of: files, to: capabilities)
    }
}
