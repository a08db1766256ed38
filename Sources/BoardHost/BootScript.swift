internal import Glibc
internal import LinuxFiles
internal import USBHost

/// `scripts/boot/rpi`, which makes boot directories: found once, run as another program.
struct BootScript {
    /// Its path.
    let path: String

    init(path: String) {
        self.path = path
    }

    /// Looks for the script: in $USB9PFS_SCRIPTS, else where an installation or this repository has it, seen from the program.
    /// - Throws: `BoardFailure.noBootScript`, with where it was looked for.
    init() throws(BoardFailure) {
        let places = Self.places
        guard let found = places.map({ "\($0)/boot/rpi" }).first(where: { ChildProcess.find($0) != nil }) else {
            throw .noBootScript(places)
        }
        path = found
    }

    private static var places: [String] {
        if let chosen = System.environment("USB9PFS_SCRIPTS") { return [chosen] }
        guard let program = absolutePath("/proc/self/exe") else { return [] }
        let parts = program.split(separator: "/").dropLast()
        // PREFIX/bin/p9fwd and PREFIX/share/usb9pfs/scripts; .build/TRIPLE/release/p9fwd and scripts.
        let above = (1...min(4, parts.count + 1)).map { count in
            parts.dropLast(count).map { "/" + $0 }.joined()
        }
        return ["\(above[0])/share/usb9pfs/scripts"] + above.map { "\($0)/scripts" }
    }

    /// The path of something without symbolic links.
    static func absolutePath(_ path: String) -> String? {
        guard let opened = try? System.open(path, .path), let bytes = try? System.currentPath(of: opened.raw) else {
            return nil
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The command that makes a boot directory of a tree.
    static func command(_ script: String, _ arguments: [String], tree: String, directory: String) -> [String] {
        [script] + arguments + ["--from", tree, directory]
    }

    /// Runs such a command to its end, or until a stop.
    /// - Throws: `BoardFailure`: `.notMade`, `.stoppedBeforeLoaded`.
    static func run(_ command: [String], for directory: String, until stop: StopRequest) throws(BoardFailure) {
        let ending: ChildProcess.Ending
        let program: ChildProcess
        do throws(Errno) {
            program = try ChildProcess(command[0], Array(command.dropFirst()))
            ending = try wait(program, until: stop)
        } catch {
            if stop.isRequested { throw .stoppedBeforeLoaded }
            throw .notMade(directory: directory, command, said: error.text)
        }
        guard !ending.isSuccess else { return }
        throw .notMade(directory: directory, command, said: String(decoding: program.errorText, as: UTF8.self))
    }

    /// Waits for a program's end; a stop ends it, and gives it time to clean up.
    private static func wait(_ program: ChildProcess, until stop: StopRequest) throws(Errno) -> ChildProcess.Ending {
        while !stop.isRequested {
            if let ending = try program.wait(seconds: 0.2) { return ending }
        }
        program.send(signal: SIGTERM)
        _ = try program.wait(seconds: 10)
        throw .EINTR
    }
}
