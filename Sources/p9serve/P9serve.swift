import ArgumentParser
import CommandSupport

@main
struct P9serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "p9serve",
        abstract: "Serve directories over 9P2000.L, as the root filesystems they are meant to be.",
        discussion: ExitCause.help,
        version: softwareVersion,
        subcommands: [
            ServeCommand.self, ImportCommand.self, ExportCommand.self, CheckCommand.self, StatCommand.self,
            ListCommand.self,
            ChownCommand.self, ChmodCommand.self, MknodCommand.self, SetcapCommand.self, ConvertCommand.self,
        ]
    )

    static func main() {
        runAndExit()
    }
}
