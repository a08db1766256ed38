internal import Glibc
import LinuxFiles
import TestSupport

/// The program `CommandProbe`, which is built beside the tests.
enum Probe {
    static let path: String = {
        var tests = ""
        if let program = try? System.open("/proc/self/exe", .path), let path = try? System.currentPath(of: program.raw)
        {
            tests = String(decoding: path, as: UTF8.self)
        }
        return "/" + tests.split(separator: "/").dropLast().joined(separator: "/") + "/CommandProbe"
    }()

    /// Runs it to its end.
    static func run(_ arguments: String...) throws -> ProgramResult { try start(arguments).wait() }

    /// Runs it with standard output and standard error apart, by way of a shell.
    static func run(in shell: String) throws -> ProgramResult {
        try RunningProgram(["sh", "-c", "probe=$1; \(shell)", "sh", path]).wait()
    }

    static func start(_ arguments: [String]) throws -> RunningProgram { try RunningProgram([path] + arguments) }
}

extension RunningProgram {
    /// Waits until the program has said something.
    func waitFor(_ text: String) {
        waitUntil { (try? outputSoFar().contains(text)) == true }
    }
}
