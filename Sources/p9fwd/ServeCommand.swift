import ArgumentParser
import BoardHost
import CommandSupport
import P9Server
import USBHost
import USBLink

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve a directory to a board as its root filesystem.",
        discussion: """
            The board sees root's files, devices, setuid bits and capabilities; the host's files stay yours. No root \
            needed.

            Examples:
              p9fwd serve rootfs
              p9fwd serve rootfs --path 2-1.1.2 --export home=/srv/home
              p9fwd serve rootfs --rpiboot boot
              p9fwd serve rootfs --rpiboot auto

            With --rpiboot a Raspberry Pi in USB boot mode is loaded from that directory first, each time it is powered \
            on (see p9fwd rpiboot --help); what it then runs is served at the same port. With --rpiboot auto the directory is \
            made of the kernel that is in rootfs, and anew when that has changed (docs/rpiboot.md).

            Waits for the board if it is not there yet, and for its return after a reboot. Ctrl-C and SIGTERM answer the \
            request in hand and end.

            \(ExitCause.help(.notFound, .permission, .busy, .timeout, .deviceGone))
            """
    )

    @OptionGroup var options: GadgetOptions

    @Argument(help: ArgumentHelp("The directory that the board mounts.", valueName: "rootfs"), completion: .directory)
    var directory: String

    @OptionGroup var exports: ExportOptions

    @Option(
        help: ArgumentHelp(
            "Load a Raspberry Pi in USB boot mode from this directory first; auto, auto:MODEL, auto:DIR: make it.",
            valueName: "dir"
        ),
        completion: .directory
    )
    var rpiboot: String?

    @OptionGroup var waiting: WaitingOptions

    func run() throws {
        let configuration = ServerConfiguration(
            exports: try exports.open(default: directory),
            maximumMessageSize: GadgetLink.maximumMsize,
            limits: try ServerLimits.ofThisProcess()
        )
        let stop = StopRequest()
        try SignalWaiter.run(stop: stop.request) { [options, waiting, rpiboot, directory] in
            try options.serve(
                by: ServerConnection(configuration),
                loadingFrom: rpiboot.map { BootChoice($0) },
                tree: directory,
                waiting,
                until: stop
            )
        }
    }
}
