import LinuxFiles
import TestSupport
import Testing

@testable import BoardHost
@testable import RPiBoot
@testable import USBHost

@Suite("What Raspberry Pis are loaded from")
struct BootFilesTests {
    private let files: TemporaryDirectory
    private let stop = StopRequest()

    /// A tree with a kernel, and a stand-in for the script, which says what it was told and makes a directory.
    init() throws {
        files = try TemporaryDirectory()
        for directory in ["tree", "tree/boot", "boot"] { try files.makeDirectory(directory) }
        try files.write("tree/boot/vmlinuz-6.12", "kernel")
        try files.write("boot/bootcode4.bin", "boot code")
        try files.write("boot/\(BootManifest.name)", manifest(kernels: ["boot/vmlinuz-6.12"]))
        try files.write(
            "rpi",
            """
            #!/bin/sh
            echo "$@" >>'\(files.path)/told'
            for made; do :; done
            [ ! -e '\(files.path)/fail' ] || { echo "rpi: error: told to fail" >&2; exit 3; }
            mkdir -p "$made"
            cp '\(files.path)/next' "$made/\(BootManifest.name)"
            echo code >"$made/bootcode4.bin"
            """,
            mode: 0o755
        )
        try files.write("next", manifest(kernels: ["boot/vmlinuz-6.12", "boot/vmlinuz-6.13"]))
    }

    private func manifest(kernels: [String]) -> String {
        let kernels = kernels.map { "\"\($0)\"" }.joined(separator: ", ")
        return """
            {"version": 1, "model": "rpi4", "kernel": "6.12",
             "from": {"kind": "tree", "kernels": [\(kernels)], "arguments": ["--model", "rpi4", "--ro"], "files": []}}
            """
    }

    private func bootFiles(_ choice: BootChoice) throws -> BootFiles {
        try BootFiles(
            choice,
            tree: files.file("tree"),
            script: BootScript(path: files.file("rpi")),
            cache: files.file("cache")
        )
    }

    /// What is reported while a board's directory is looked for, and what its boot code is.
    private func load(_ boot: BootFiles) throws -> (events: [String], code: String) {
        var events: [String] = []
        let directory = try boot.directory(for: .bcm2711, until: stop) { events.append($0.text) }
        let code = try #require(directory.file("bootcode4.bin"))
        return (events, String(decoding: try code.content(), as: UTF8.self))
    }

    private func told() throws -> String { String(decoding: (try? files.read("told")) ?? [], as: UTF8.self) }

    @Test(arguments: [
        ("boot", BootChoice.directory("boot")), ("auto", .automatic(model: nil)),
        ("auto:rpi3a+", .automatic(model: "rpi3a+")), ("auto:bcm2712", .automatic(model: "bcm2712")),
        ("auto:boot", .automaticDirectory("boot")), ("auto:./rpi4", .automaticDirectory("./rpi4")),
        ("./auto", .directory("./auto")), ("auto:", .directory("auto:")), ("a:rpi4", .directory("a:rpi4")),
    ])
    func choices(_ argument: String, _ choice: BootChoice) {
        #expect(BootChoice(argument) == choice)
    }

    @Test("a directory that no longer fits is told once, with the command, and is used")
    func outdated() throws {
        let directory = files.file("boot")
        let boot = try bootFiles(.directory(directory))
        #expect(try load(boot) == ([], "boot code"))
        try files.write("tree/boot/vmlinuz-6.13", "kernel")
        var commands: [[String]?] = []
        _ = try boot.directory(for: .bcm2711, until: stop) { event in
            guard case .outdated(_, _, let changes, let command) = event else { return }
            #expect(changes == TreeChanges(newKernels: ["boot/vmlinuz-6.13"]))
            commands.append(command)
        }
        #expect(commands == [[files.file("rpi"), "--model", "rpi4", "--ro", "--from", files.file("tree"), directory]])
        #expect(try load(boot) == ([], "boot code"))
        #expect(try told() == "")
    }

    @Test("a directory that was made anew meanwhile is the one that the next board gets")
    func replaced() throws {
        let boot = try bootFiles(.directory(files.file("boot")))
        #expect(try load(boot).code == "boot code")
        try files.rename("boot", to: "old")
        try files.makeDirectory("boot")
        try files.write("boot/bootcode4.bin", "new code")
        #expect(try load(boot).code == "new code")
    }

    @Test("a directory that is to be made anew is, by what it was made by")
    func madeAnew() throws {
        let directory = files.file("boot")
        let boot = try bootFiles(.automaticDirectory(directory))
        #expect(try load(boot) == ([], "boot code"))
        try files.write("tree/boot/vmlinuz-6.13", "kernel")
        #expect(try load(boot) == (["outdated \(directory)", "making \(directory)"], "code\n"))
        #expect(try told() == "--model rpi4 --ro --from \(files.file("tree")) \(directory)\n")
        #expect(try load(boot) == ([], "code\n"))
    }

    @Test("if that fails the old directory is used, and the failure told")
    func notMade() throws {
        let directory = files.file("boot")
        try files.write("tree/boot/vmlinuz-6.13", "kernel")
        try files.write("fail", "")
        let boot = try bootFiles(.automaticDirectory(directory))
        #expect(
            try load(boot) == (["outdated \(directory)", "making \(directory)", "failed: not made"], "boot code")
        )
    }

    @Test("without a directory of the user's there is one for each processor, made when a board with it comes")
    func byProcessor() throws {
        let boot = try bootFiles(.automatic(model: nil))
        try boot.prepare(until: stop) { _ in Issue.record("nothing is known of the board yet") }
        #expect(try told() == "")
        let directory = files.file("cache/bcm2711")
        try files.write("next", manifest(kernels: ["boot/vmlinuz-6.12"]))
        #expect(try load(boot) == (["making \(directory)"], "code\n"))
        #expect(try told() == "--model bcm2711 --from \(files.file("tree")) \(directory)\n")
        #expect(boot.path(for: .bcm2712) == files.file("cache/bcm2712"))
    }

    @Test("a model's directory is made before the board comes; a failure is the end")
    func ofAModel() throws {
        try files.write("fail", "")
        let boot = try bootFiles(.automatic(model: "cm4"))
        let command = [files.file("rpi"), "--model", "cm4", "--from", files.file("tree"), files.file("cache/cm4")]
        #expect(
            throws: BoardFailure.notMade(
                directory: files.file("cache/cm4"),
                command,
                said: "rpi: error: told to fail\n"
            )
        ) {
            try boot.prepare(until: stop) { _ in }
        }
    }

    @Test("a directory of somebody else's can't be made anew")
    func somebodyElses() throws {
        try files.write("boot/\(BootManifest.name)", "{}")
        let boot = try bootFiles(.automaticDirectory(files.file("boot")))
        #expect(throws: BoardFailure.noManifest(files.file("boot"))) { try boot.prepare(until: stop) { _ in } }
    }

    @Test("a stop ends what makes a directory")
    func stopped() throws {
        try files.write("rpi", "#!/bin/sh\nexec sleep 1000\n", mode: 0o755)
        let boot = try bootFiles(.automatic(model: "cm4"))
        #expect(throws: BoardFailure.stoppedBeforeLoaded) {
            try boot.prepare(until: stop) { if case .making = $0 { stop.request() } }
        }
    }
}
