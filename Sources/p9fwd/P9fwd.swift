import ArgumentParser
import CommandSupport

@main
struct P9fwd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "p9fwd",
        abstract: "Serve files to boards over USB: the host's side of the kernel's usb9pfs gadget.",
        discussion: ExitCause.help,
        version: softwareVersion,
        subcommands: [ListCommand.self, ServeCommand.self, ConnectCommand.self, RpibootCommand.self]
    )

    // Parsed here as well, so that the options may stand before the subcommand, as with the kernel tree's p9_fwd.py.
    @OptionGroup var gadget: GadgetOptions

    static func main() {
        runAndExit()
    }
}
