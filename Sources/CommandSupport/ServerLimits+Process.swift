internal import LinuxFiles
public import P9Server

extension ServerLimits {
    /// What this process can let its clients have; raises its limit of open files as far as it may.
    /// - Throws: `CommandFailure` if that is too little to serve anybody.
    public static func ofThisProcess() throws -> ServerLimits {
        let openFiles = System.raiseOpenFileLimit()
        guard openFiles >= minimumOpenFiles else {
            throw CommandFailure(
                .failure,
                "no process may have more than \(openFiles) files open here; a server needs \(minimumOpenFiles) at least",
                advice: "Raise the limit in the shell that starts it: ulimit -n 1024\n"
                    + "If the shell may not, whoever has set it must: see limits.conf(5), or LimitNOFILE= of a systemd unit."
            )
        }
        return ServerLimits(openFiles: openFiles)
    }
}
