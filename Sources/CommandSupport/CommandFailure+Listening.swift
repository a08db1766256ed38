public import LinuxFiles
public import P9Server

extension CommandFailure {
    /// Why a server can't listen.
    public init(listeningOn address: ListenAddress, _ error: Errno) {
        self =
            switch error {
            case .EADDRINUSE:
                CommandFailure(
                    .busy,
                    "can't listen on \(ShellWord(address.description)): another process does",
                    advice: "Stop it, or choose another port or path; tcp://127.0.0.1:0 takes any free port."
                )
            case .EEXIST:
                CommandFailure(
                    .badInput,
                    "can't listen on \(ShellWord(address.description)): there is something else of that name, which is not a socket",
                    advice: "Choose another path, or remove what is there."
                )
            case .EACCES, .EPERM:
                CommandFailure(
                    .permission,
                    "can't listen on \(ShellWord(address.description)): \(error.text)",
                    advice: "Ports below 1024 are root's; a Unix socket needs a directory that you may write to."
                )
            case .ENXIO: CommandFailure(.notFound, "can't listen on \(ShellWord(address.description)): no such host")
            case .ENOENT, .ENOTDIR:
                CommandFailure(
                    .notFound,
                    "can't listen on \(ShellWord(address.description)): there is no such directory"
                )
            case .EBADF: CommandFailure(.badInput, "can't serve \(address): no such descriptor was inherited")
            default: CommandFailure(.failure, "can't listen on \(ShellWord(address.description)): \(error.text)")
            }
    }
}
