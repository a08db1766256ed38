import ArgumentParser
import BoardHost
import CommandSupport
import RPiBoot
import USBHost

struct RpibootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rpiboot",
        abstract: "Load Raspberry Pis over USB with a directory's boot code, firmware and kernel.",
        discussion: """
            Answers the boot ROM and the bootloader of a Raspberry Pi in USB boot mode. The directory has bootcode.bin, \
            bootcode4.bin or bootcode5.bin (or bootfiles.bin), config.txt and boot.img; subdirectories 2710, 2711 and \
            2712 are for one family of processors, one named after a USB port (1-1.3) for one board.

            To go on to the root filesystem: p9fwd serve ROOTFS --rpiboot DIR

            Examples:
              p9fwd rpiboot boot
              p9fwd rpiboot boot --path 1-1.3 --once --timeout 60
              p9fwd rpiboot boot --json

            Takes a board that is there already as well as one that comes; one after the other until Ctrl-C or SIGTERM.

            \(ExitCause.help(.notFound, .permission, .busy, .timeout, .deviceGone))
            """
    )

    @OptionGroup var options: GadgetOptions

    @Argument(
        help: ArgumentHelp("The directory that boards are loaded from.", valueName: "dir"),
        completion: .directory
    )
    var directory: String

    @Option(help: ArgumentHelp("Give up if no board has appeared after so long.", valueName: "seconds"))
    var timeout: Double?

    @Flag(help: "End when one board is loaded.")
    var once = false

    @Flag(help: "Print events in JSON, one a line, each with its name in event: docs/rpiboot.md.")
    var json = false

    func validate() throws {
        try WaitingOptions.check(timeout)
    }

    func run() throws {
        let events = EventStream(isEnabled: json)
        do {
            let directory = try BootDirectory.open(argument: directory)
            let stop = StopRequest()
            try SignalWaiter.run(stop: stop.request) { [self] in try load(from: directory, until: stop) }
        } catch let failure as CommandFailure {
            let failure = events.failure(failure)
            guard json else { throw failure }
            // Only an event tells it: a reader of both streams expects only JSON.
            throw ExitCode(failure.cause.rawValue)
        }
    }

    private func load(from directory: BootDirectory, until stop: StopRequest) throws(CommandFailure) {
        let report = BoardReport(
            bootDirectory: { _ in directory.path },
            isVerbose: options.verbose > 0,
            events: json ? EventStream(isEnabled: true) : nil
        )
        let service = BoardService(
            options.selector,
            once: once,
            timeout: timeout,
            on: USBBoardBus(),
            report: report.tell
        )
        do throws(BoardFailure) {
            try service.load(from: directory, until: stop)
        } catch {
            throw CommandFailure(error)
        }
    }
}
