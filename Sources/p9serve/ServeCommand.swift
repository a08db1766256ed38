import ArgumentParser
import CommandSupport
import LinuxFiles
import P9Server

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve a directory on a socket.",
        discussion: """
            Clients see root's files, devices, setuid bits and capabilities; the host's files stay yours. No root needed.

            Examples:
              p9serve serve rootfs
              p9serve serve rootfs --listen unix:/run/user/1000/rootfs.sock
              p9serve serve rootfs --export home=/srv/home --listen tcp://127.0.0.1:0
              mount -t 9p -o trans=tcp,port=5640,access=client 127.0.0.1 /mnt

            Ctrl-C and SIGTERM answer the requests in flight and end. There is no authentication: whoever can connect has \
            your rights in the directory, so be careful with addresses other than \
            loopback.

            \(ExitCause.help(.notFound, .permission, .busy))
            """
    )

    @Argument(help: ArgumentHelp("The directory to serve.", valueName: "dir"), completion: .directory)
    var directory: String

    @Option(
        help: ArgumentHelp(
            "Where to listen: tcp://HOST:PORT (all addresses of the host), unix:/PATH, or fd:N[,M] for inherited descriptors; may be repeated.",
            valueName: "address"
        )
    )
    var listen: [String] = ["tcp://127.0.0.1:5640"]

    @OptionGroup var exports: ExportOptions

    @Flag(name: .shortAndLong, help: "Print every message: -> from a client, <- to it.")
    var verbose = false

    func run() throws {
        let addresses = try listen.map { text in
            guard let address = ListenAddress(text) else {
                throw CommandFailure(
                    .badInput,
                    "'\(text)' is not an address to listen on",
                    advice: "Use tcp://HOST:PORT, unix:/PATH, fd:N or fd:N,M."
                )
            }
            return address
        }
        let signals = SignalWaiter()
        let trace: (@Sendable (String) -> Void)? = verbose ? { @Sendable in StandardError.write($0 + "\n") } : nil
        let configuration = ServerConfiguration(
            exports: try exports.open(default: directory),
            limits: try ServerLimits.ofThisProcess(),
            trace: trace
        )
        let server = SocketServer(configuration) { StandardError.say($0) }
        for address in addresses {
            do throws(Errno) {
                for bound in try server.listen(on: address) { StandardError.write("listening on \(bound)\n") }
            } catch {
                throw CommandFailure(listeningOn: address, error)
            }
        }
        try startThread {
            server.waitUntilIdle()
            signals.wake()
        }
        if case .end = signals.wait() { server.stop(waitingAtMost: 5) }
    }
}
