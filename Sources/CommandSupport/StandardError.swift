internal import Glibc

/// Messages for people, on standard error; standard output is for results.
public enum StandardError {
    /// Writes "program: message" and a line end, as one write, so that lines of several threads don't mix.
    public static func say(_ message: String) {
        write("\(programName): \(message)\n")
    }

    /// Writes a failure as `say` does, and its advice.
    public static func tell(_ failure: CommandFailure) {
        say(failure.message)
        if let advice = failure.advice { write(advice + "\n") }
    }

    /// Writes text as it is.
    public static func write(_ text: String) {
        // What was printed before is also to be seen before, even where standard output is a pipe.
        fflush(nil)
        var text = text
        text.withUTF8 { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let part = UnsafeBufferPointer(rebasing: rest)
                let count = Glibc.write(STDERR_FILENO, part.baseAddress, part.count)
                if count < 0, errno == EINTR { continue }
                // Nobody can be told that standard error is gone.
                if count <= 0 { return }
                rest = rest.dropFirst(count)
            }
        }
    }

    /// The name the program was called by, without its directory.
    public static let programName: String = {
        let path = CommandLine.arguments.first ?? ""
        return path.split(separator: "/").last.map(String.init) ?? "usb9pfs"
    }()
}
