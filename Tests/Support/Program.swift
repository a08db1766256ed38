internal import Glibc
public import LinuxFiles

/// How another program ended.
public struct ProgramResult: Sendable {
    /// The exit code, or 128 and the signal's number.
    public var status: CInt
    /// Standard output and standard error.
    public var output: String
}

/// Another program, running.
public struct RunningProgram: Sendable {
    public let processID: CInt
    private let output: String

    /// Starts a program found in PATH (/usr/sbin included), with standard input from /dev/null.
    public init(_ arguments: [String]) throws(Errno) {
        var template = Array("/tmp/usb9pfs-output-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw .last }
        defer { close(descriptor) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        output = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, descriptor, 1)
        posix_spawn_file_actions_adddup2(&actions, descriptor, 2)
        // This process' umask is cleared as soon as a test has opened a tree; programs have the usual one.
        let setUp = ["env", "PATH=\(Self.searchPath)", "LC_ALL=C", "sh", "-c", "umask 022; exec \"$@\"", "sh"]
        var arguments = setUp + arguments
        arguments.removeAll { $0.isEmpty }
        let cArguments = arguments.map { strdup($0) } + [nil]
        defer { for argument in cArguments { free(argument) } }
        // Once a test has made a server, this process ignores SIGPIPE and SIGXFSZ; the program must not.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, CShort(POSIX_SPAWN_SETSIGDEF))
        var processID: pid_t = 0
        let error = posix_spawn(&processID, "/usr/bin/env", &actions, &attributes, cArguments, environ)
        guard error == 0 else { throw Errno(rawValue: error) }
        self.processID = processID
    }

    private static var searchPath: String {
        (getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    }

    public func send(signal: CInt) {
        kill(processID, signal)
    }

    /// Whether the program has not ended yet.
    public var isRunning: Bool {
        var information = siginfo_t()
        // Leaves the end for `wait`.
        return waitid(P_PID, id_t(processID), &information, WEXITED | WNOHANG | WNOWAIT) == 0
            && information._sifields._kill.si_pid == 0
    }

    /// What the program has written up to now.
    public func outputSoFar() throws(Errno) -> String {
        let file = try System.open(output, .readOnly)
        var text = [UInt8](repeating: 0, count: Int(try System.status(of: file.raw).size))
        let count = try text.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
            try System.read(file.raw, into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        return String(decoding: text[..<count], as: UTF8.self)
    }

    public func wait() throws(Errno) -> ProgramResult {
        var status: CInt = 0
        while waitpid(processID, &status, 0) < 0 {
            guard errno == EINTR else { throw .last }
        }
        let text = try outputSoFar()
        unlink(output)
        let code = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
        return ProgramResult(status: code, output: text)
    }
}

/// Runs a program to its end.
@discardableResult
public func run(_ arguments: String...) throws(Errno) -> ProgramResult {
    try RunningProgram(arguments).wait()
}

/// Whether a program can be found.
public func isInstalled(_ program: String) -> Bool {
    (try? run("sh", "-c", "command -v \(program)").status) == 0
}
