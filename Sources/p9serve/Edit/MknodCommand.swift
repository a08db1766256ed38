import ArgumentParser
import CommandSupport
import FakeRoot
import TreeTools

struct MknodCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mknod",
        abstract: "Make a device node, FIFO or socket for the board.",
        discussion: """
            Examples:
              p9serve mknod rootfs/dev/console c 5 1 --mode 600
              p9serve mknod rootfs/dev/sda b 8 0 --owner root:disk --mode 660
              p9serve mknod rootfs/run/initctl p

            On the host it is an empty file with a label: nothing that the host would take for a device.

            \(ExitCause.help(.notFound, .permission))
            """
    )

    @Argument(help: "Its path; the directory must exist.", completion: .file())
    var path: String

    @Argument(help: "b (block device), c or u (character device), p (FIFO), s (socket).")
    var type: String

    @Argument(help: "Of a device.")
    var major: UInt32?

    @Argument(help: "Of a device.")
    var minor: UInt32?

    @Option(help: "OWNER or OWNER:GROUP.")
    var owner = "0:0"

    @Option(name: [.customShort("m"), .long], help: "Its mode.")
    var mode = ModeChange(argument: "644")!  // a literal

    @OptionGroup var tree: TreeOption

    func validate() throws {
        let isDevice = ["b", "c", "u"].contains(type)
        guard isDevice || ["p", "s"].contains(type) else {
            throw ValidationError("'\(type)' is not a type of node: there are b, c, u, p and s.")
        }
        guard isDevice == (major != nil), isDevice == (minor != nil) else {
            throw ValidationError(
                isDevice ? "A device needs its major and minor number." : "Only devices have numbers."
            )
        }
        guard (major ?? 0) < 1 << 12, (minor ?? 0) < 1 << 20 else {
            throw ValidationError("Linux has major numbers up to 4095 and minor numbers up to 1048575.")
        }
    }

    func run() throws {
        try TreeEditor(tree.paths).makeNode(at: path, kind, owner: Ownership(owner), mode: mode)
    }

    private var kind: NodeKind {
        switch type {
        case "b": .block(major: major ?? 0, minor: minor ?? 0)
        case "p": .pipe
        case "s": .socket
        default: .character(major: major ?? 0, minor: minor ?? 0)
        }
    }
}
