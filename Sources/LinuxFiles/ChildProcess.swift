internal import CLinux
internal import Glibc

/// Another program, running beside us: found in PATH, started without a shell, ended when its owner goes away at the latest.
///
/// It inherits only its three standard streams and the environment (with LC_ALL=C, so that its messages are in English). It
/// has a process group of its own, so that Ctrl-C reaches us only, and every signal at its default. What it says on standard
/// error is kept for `errorText`.
public final class ChildProcess {
    /// What a standard stream of the program is.
    public enum Stream {
        /// /dev/null.
        case nothing
        /// An open descriptor, which stays the caller's.
        case descriptor(CInt)
        /// A pipe, whose other end is for `takeInput` or `takeOutput`.
        case pipe
    }

    /// How a program ended.
    public enum Ending: Hashable, Sendable, CustomStringConvertible {
        case exited(CInt)
        case signalled(CInt)

        /// Whether the program ended with exit code 0.
        public var isSuccess: Bool { self == .exited(0) }

        /// To go after the program's name: "ended with code 1".
        public var description: String {
            switch self {
            case .exited(let code): "ended with code \(code)"
            case .signalled(let signal): "was ended by signal \(signal)"
            }
        }
    }

    /// What standard error said, its last `maxErrorText` bytes.
    private struct ErrorText {
        var bytes: [UInt8] = []
        var hasEnded = false
    }

    private static let maxErrorText = 4096

    /// The number of the process; another one may get it after `wait`.
    public let processID: CInt
    private var input: OwnedDescriptor?
    private var output: OwnedDescriptor?
    private var ending: Ending?
    private let errorMonitor = Monitor(ErrorText())

    /// Starts a program.
    /// - Parameters:
    ///   - program: a name, looked for in PATH, /usr/local/sbin, /usr/sbin and /sbin; or a path with a "/".
    ///   - environment: variables to set besides our own.
    /// - Throws: `ENOENT` if there is no such program.
    ///
    /// The corresponding C function is `posix_spawn`.
    public init(
        _ program: String,
        _ arguments: [String],
        input: Stream = .nothing,
        output: Stream = .nothing,
        environment: [String: String] = [:]
    ) throws(Errno) {
        guard let path = Self.find(program) else { throw .ENOENT }
        var input = try Self.open(input, isInput: true)
        var output = try Self.open(output, isInput: false)
        var errors = try Self.open(.pipe, isInput: false)
        processID = try Self.spawn(
            path,
            [program] + arguments,
            streams: [input.theirs.raw, output.theirs.raw, errors.theirs.raw],
            environment
        )
        self.input = input.ours.take()
        self.output = output.ours.take()
        guard let raw = errors.ours.take()?.release() else { preconditionFailure("a pipe has two ends") }
        let monitor = errorMonitor
        do throws(Errno) {
            try startThread { Self.collect(OwnedDescriptor(owning: raw), in: monitor) }
        } catch {
            _ = OwnedDescriptor(owning: raw)
            end(with: SIGKILL)
            throw error
        }
    }

    deinit {
        guard ending == nil else { return }
        Glibc.kill(processID, SIGKILL)
        var status: CInt = 0
        _ = try? retrying { waitpid(processID, &status, 0) }
    }

    /// The end of the program's standard input that we write to; it must be a pipe. Close it to end the stream.
    /// - Throws: `EBADF` if it is not a pipe, or was taken before.
    public func takeInput() throws(Errno) -> OwnedDescriptor { try Self.take(&input) }

    /// The end of the program's standard output that we read from; it must be a pipe.
    /// - Throws: `EBADF` if it is not a pipe, or was taken before.
    public func takeOutput() throws(Errno) -> OwnedDescriptor { try Self.take(&output) }

    private static func take(_ end: inout OwnedDescriptor?) throws(Errno) -> OwnedDescriptor {
        guard let taken = end.take() else { throw .EBADF }
        return taken
    }

    /// Sends a signal, if the program still runs.
    public func send(signal: CInt) {
        if ending == nil { Glibc.kill(processID, signal) }
    }

    /// Ends the program now, if it still runs.
    public func kill() {
        if ending == nil { end(with: SIGKILL) }
    }

    private func end(with signal: CInt) {
        Glibc.kill(processID, signal)
        _ = try? wait()
    }

    /// Waits until the program has ended.
    /// - Throws: `ECHILD` if this process ignores SIGCHLD.
    @discardableResult
    public func wait() throws(Errno) -> Ending {
        if let ending { return ending }
        var status: CInt = 0
        _ = try retrying { waitpid(processID, &status, 0) }
        return finish(status)
    }

    /// Waits until the program has ended, for a limited time.
    /// - Returns: nil if it still runs.
    /// - Throws: `ECHILD` if this process ignores SIGCHLD.
    public func wait(seconds: Double) throws(Errno) -> Ending? {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            if let ending { return ending }
            var status: CInt = 0
            if try retrying({ waitpid(processID, &status, WNOHANG) }) != 0 { return finish(status) }
            guard ContinuousClock.now < end else { return nil }
            usleep(10_000)
        }
    }

    private func finish(_ status: CInt) -> Ending {
        let signal = status & 0x7f
        let ending = signal == 0 ? Ending.exited(status >> 8 & 0xff) : .signalled(signal)
        self.ending = ending
        // Waits for the rest of its messages. Not for long: a child of the program may still hold the pipe.
        _ = errorMonitor.wait(seconds: 1) { $0.hasEnded ? true : nil }
        return ending
    }

    /// What the program said on standard error so far, its last 4 KiB; unchecked bytes.
    public var errorText: [UInt8] { errorMonitor.update { $0.bytes } }

    // MARK: Starting

    /// The path of a program; nil if there is none that we may run.
    public static func find(_ program: String) -> String? {
        if program.contains("/") { return access(program, X_OK) == 0 ? program : nil }
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
        // mke2fs and others are there, which an ordinary Debian user does not have in PATH.
        return (path + ":/usr/local/sbin:/usr/sbin:/sbin").split(separator: ":")
            .map { "\($0)/\(program)" }
            .first { access($0, X_OK) == 0 }
    }

    /// Another descriptor for the same opening, above the standard streams: those are replaced one by one.
    private static func duplicate(_ descriptor: CInt) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(owning: try retrying { fcntl(descriptor, F_DUPFD_CLOEXEC, 3) })
    }

    /// The two ends of one of the program's standard streams.
    private struct Ends: ~Copyable {
        var theirs: OwnedDescriptor
        /// Nil if it is not a pipe.
        var ours: OwnedDescriptor?
    }

    private static func open(_ stream: Stream, isInput: Bool) throws(Errno) -> Ends {
        switch stream {
        case .nothing:
            let null = try System.open("/dev/null", .readWrite)
            return Ends(theirs: try duplicate(null.raw), ours: nil)
        case .descriptor(let raw):
            return Ends(theirs: try duplicate(raw), ours: nil)
        case .pipe:
            var ends: [CInt] = [-1, -1]
            _ = try retrying { clinux_pipe2(&ends, O_CLOEXEC) }
            let reading = OwnedDescriptor(owning: ends[0])
            let writing = OwnedDescriptor(owning: ends[1])
            let theirs = try duplicate(isInput ? reading.raw : writing.raw)
            return Ends(theirs: theirs, ours: isInput ? writing : reading)
        }
    }

    private static func spawn(
        _ path: String,
        _ arguments: [String],
        streams: [CInt],
        _ environment: [String: String]
    ) throws(Errno) -> CInt {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, descriptor) in streams.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, CInt(number))
        }
        // exec closes our own; these are descriptors that our parent left open for us.
        clinux_spawn_close_from(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, CShort(flags))

        let arguments = arguments.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        let variables = merged(environment).map { strdup($0) } + [nil]
        defer { for variable in variables { free(variable) } }
        var processID: pid_t = 0
        let error = posix_spawn(&processID, path, &actions, &attributes, arguments, variables)
        guard error == 0 else { throw Errno(rawValue: error) }
        return processID
    }

    private static func merged(_ changes: [String: String]) -> [String] {
        var changes = changes
        changes["LC_ALL"] = "C"
        var result: [String] = []
        var next = environ
        while let variable = next.pointee {
            let text = String(cString: variable)
            if changes[String(text.prefix { $0 != "=" })] == nil { result.append(text) }
            next += 1
        }
        return result + changes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    }

    private static func collect(_ descriptor: consuming OwnedDescriptor, in monitor: Monitor<ErrorText>) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = (try? buffer.withUnsafeMutableBytes { try System.receive(descriptor.raw, into: $0) }) ?? 0
            monitor.update { text in
                text.bytes += buffer[..<count]
                text.bytes.removeFirst(max(text.bytes.count - maxErrorText, 0))
                if count == 0 { text.hasEnded = true }
            }
            if count == 0 { return }
        }
    }
}
