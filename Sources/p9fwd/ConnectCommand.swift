import ArgumentParser
import CommandSupport
import P9Client
import USBHost
import USBLink

struct ConnectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect",
        abstract: "Carry a board's requests to a 9P server, over TCP or a Unix socket.",
        discussion: """
            Takes the place of the kernel tree's p9_fwd.py, with the same options. Ctrl-C and SIGTERM answer the request \
            in hand and end; the board waits for the next p9fwd, but its open files are the server's to remember.

            A server may take as long as it wants to answer. One that is silent for a minute in the middle of a reply is \
            given up: the board gets an I/O error and must mount again.

            Examples:
              p9fwd connect -p 5640
              p9fwd connect --unix /run/user/1000/rootfs.sock --path 2-1.1.2

            \(ExitCause.help(.permission, .busy, .timeout, .deviceGone, .serverError))
            """
    )

    @OptionGroup var options: GadgetOptions

    @Option(
        name: [.customShort("s", allowingJoined: true), .long],
        help: ArgumentHelp("The server's host name or address. (default: 127.0.0.1)", valueName: "host")
    )
    var server: String?

    @Option(
        name: [.customShort("p", allowingJoined: true), .long],
        help: ArgumentHelp("The server's TCP port. (default: 564)", valueName: "port")
    )
    var port: UInt16?

    @Option(help: ArgumentHelp("The server's Unix socket, instead of host and port.", valueName: "path"))
    var unix: String?

    @OptionGroup var waiting: WaitingOptions

    func validate() throws {
        guard unix == nil || (server == nil && port == nil) else {
            throw ValidationError("a server is at a Unix socket or at a host and port: --unix, or --server and --port")
        }
    }

    func run() throws {
        let address =
            unix.map { ServerAddress.unix(path: $0) } ?? .tcp(host: server ?? "127.0.0.1", port: port ?? 564)
        let stop = StopRequest()
        try SignalWaiter.run(stop: stop.request) { [options, waiting] in
            guard let forwarder = try Self.connect(to: address, until: stop) else { return }
            try options.serve(by: forwarder, waiting, until: stop)
        }
    }

    /// - Returns: nil if a signal asked for the end meanwhile.
    private static func connect(
        to address: ServerAddress,
        until stop: StopRequest
    ) throws(CommandFailure) -> RequestForwarder? {
        do throws(FrameSocketError) {
            return try RequestForwarder(
                address,
                maximumMsize: GadgetLink.maximumMsize,
                isStopping: { stop.isRequested },
                say: { StandardError.say($0) }
            )
        } catch .givenUp {
            return nil
        } catch {
            throw CommandFailure(
                .serverError,
                "can't connect to the 9P server at \(address): \(error)",
                advice: "Start one there, or serve a directory without one: \(StandardError.programName) serve ROOTFS"
            )
        }
    }
}
