import LinuxFiles
import TestSupport
import Testing

@testable import RPiBoot

@Suite("What has changed in a tree since a boot directory was made from it")
struct TreeChangesTests {
    private let files: TemporaryDirectory

    init() throws {
        files = try TemporaryDirectory()
        for directory in ["boot", "boot/firmware", "lib", "lib/modules", "lib/modules/6.12"] {
            try files.makeDirectory(directory)
        }
        try files.write("boot/vmlinuz-6.12", "kernel")
        try files.write("lib/modules/6.12/modules.dep", "modules")
    }

    /// A source with these files, as they are now.
    private func source(_ paths: [String], kernels: [String], isTree: Bool = true) throws -> BootManifest.Source {
        let used = try paths.map { path in
            BootManifest.File(path: path, size: UInt64(try files.read(path).count), sha256: try sha256(path))
        }
        return BootManifest.Source(isTree: isTree, kernels: kernels, files: used, arguments: [])
    }

    /// Another implementation's.
    private func sha256(_ path: String) throws -> String {
        String(try run("sha256sum", files.file(path)).output.prefix(64))
    }

    private func changes(since source: BootManifest.Source) throws -> TreeChanges {
        TreeChanges(since: source, in: try System.open(files.path, [.readOnly, .directory]))
    }

    private func whole() throws -> BootManifest.Source {
        try source(["boot/vmlinuz-6.12", "lib/modules/6.12/modules.dep"], kernels: ["boot/vmlinuz-6.12"])
    }

    @Test func nothing() throws {
        #expect(try changes(since: whole()).isEmpty)
    }

    @Test func contentOfTheSameLength() throws {
        let source = try whole()
        try files.write("lib/modules/6.12/modules.dep", "Modules")
        #expect(try changes(since: source) == TreeChanges(changed: ["lib/modules/6.12/modules.dep"]))
    }

    @Test func aNewKernelBesideTheOldOne() throws {
        let source = try whole()
        try files.write("boot/vmlinuz-6.13", "kernel")
        try files.write("boot/firmware/kernel8.img", "kernel")
        try files.write("boot/config-6.13", "no kernel")
        try files.makeDirectory("boot/vmlinuz-directory")
        try files.makeSymlink("boot/vmlinuz-link", to: "vmlinuz-6.13")
        try files.write("boot/vmlinuz-\u{1b}[31m", "a name for a terminal")
        #expect(
            try changes(since: source) == TreeChanges(newKernels: ["boot/firmware/kernel8.img", "boot/vmlinuz-6.13"])
        )
    }

    @Test func anUpgradeInPlace() throws {
        let source = try whole()
        files.remove("boot/vmlinuz-6.12")
        #expect(try changes(since: source) == TreeChanges(gone: ["boot/vmlinuz-6.12"]))
    }

    @Test("an image's FAT partition need not be in the tree, but what is there must be the same")
    func ofAnImage() throws {
        try files.write("boot/firmware/kernel8.img", "kernel")
        let source = try source(
            ["boot/firmware/kernel8.img", "lib/modules/6.12/modules.dep"],
            kernels: ["boot/firmware/kernel8.img", "boot/vmlinuz-6.12"],
            isTree: false
        )
        try files.write("boot/firmware/kernel8.img", "another")
        #expect(try changes(since: source) == TreeChanges(changed: ["boot/firmware/kernel8.img"]))
        files.remove("boot/firmware/kernel8.img")
        #expect(try changes(since: source).isEmpty)
    }

    @Test("links stay within the tree, as on the board")
    func links() throws {
        let source = try whole()
        try files.makeDirectory("usr")
        try files.rename("lib", to: "usr/lib")
        try files.makeSymlink("lib", to: "/usr/lib")
        #expect(try changes(since: source).isEmpty)
        files.remove("boot/vmlinuz-6.12")
        try files.makeSymlink("boot/vmlinuz-6.12", to: "/etc/passwd")
        #expect(try changes(since: source) == TreeChanges(gone: ["boot/vmlinuz-6.12"]))
    }

    @Test func manifest() throws {
        let text = """
            {"version": 1, "model": "rpi4", "kernel": "6.12", "command_line": "", "image": {}, "files": [],
             "from": {"kind": "tree", "path": "/r", "kernels": ["boot/vmlinuz-6.12"], "arguments": ["--model", "rpi4"],
                      "files": [{"path": "boot/vmlinuz-6.12", "bytes": 6, "sha256": "00"}]}}
            """
        let manifest = try #require(BootManifest(parsing: Array(text.utf8)))
        #expect(manifest.model == "rpi4")
        #expect(
            manifest.source
                == BootManifest.Source(
                    isTree: true,
                    kernels: ["boot/vmlinuz-6.12"],
                    files: [BootManifest.File(path: "boot/vmlinuz-6.12", size: 6, sha256: "00")],
                    arguments: ["--model", "rpi4"]
                )
        )
        let own = #"{"version": 1, "model": "rpi4", "kernel": "6.12"}"#
        #expect(try #require(BootManifest(parsing: Array(own.utf8))).source == nil)
        for text in [
            "", "{}", #"{"version": 2, "model": "rpi4", "kernel": "6"}"#, own.replacing("}", with: #", "from": {}}"#),
        ] {
            #expect(BootManifest(parsing: Array(text.utf8)) == nil)
        }
    }

    @Test func manifestOfADirectory() throws {
        #expect(try BootDirectory(files.path).manifest == nil)
        try files.write(BootManifest.name, #"{"version": 1, "model": "cm4", "kernel": "6.12"}"#)
        #expect(try BootDirectory(files.path).manifest?.model == "cm4")
    }
}
