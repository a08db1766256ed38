import LinuxFiles
import TestSupport
import Testing

@testable import RPiBoot

@Suite("The directory boards are loaded from")
struct DirectoryTests {
    private let files: TemporaryDirectory

    init() throws {
        files = try TemporaryDirectory()
    }

    private func directory() throws -> BootDirectory { try BootDirectory(files.path) }

    /// The content of what a board gets; nil if it gets nothing.
    private func content(_ name: String, _ chip: BootChip = .bcm2711, port: String = "1-1") throws -> String? {
        guard case .found(let file) = try directory().find(name, for: chip, at: port) else { return nil }
        return String(decoding: try file.content(), as: UTF8.self)
    }

    private func refusal(_ name: String, _ chip: BootChip = .bcm2711) throws -> BootDirectory.Refusal? {
        guard case .refused(let refusal) = try directory().find(name, for: chip, at: "1-1") else { return nil }
        return refusal
    }

    @Test func theNearestWins() throws {
        try files.write("config.txt", "all")
        #expect(try content("config.txt") == "all")
        try files.makeDirectory("2711")
        try files.write("2711/config.txt", "BCM2711")
        #expect(try content("config.txt") == "BCM2711")
        #expect(try content("config.txt", .bcm2712) == "all")
        try files.makeDirectory("1-1.3")
        try files.write("1-1.3/config.txt", "port 1-1.3")
        #expect(try content("config.txt", port: "1-1.3") == "port 1-1.3")
        #expect(try content("config.txt", port: "1-1") == "BCM2711")
        #expect(try content("nothing") == nil)
        #expect(try refusal("nothing") == nil)
    }

    @Test func theSignatureOfSignedBootcodeIsFound() throws {
        let signature = [UInt8](1...20)
        try files.write("bootcode.sig", signature)
        #expect(try directory().signature(for: .bcm2837) == signature)
        #expect(try directory().signature(for: .bcm2711) == nil)
        try files.write("bootcode.sig", signature + [21])
        #expect(try directory().signature(for: .bcm2837) == nil)
    }

    @Test func bootcodeIsNotThePorts() throws {
        try files.makeDirectory("1-1")
        try files.write("1-1/bootcode4.bin", "port")
        #expect(try content("bootcode4.bin") == nil)
        #expect(try directory().chips == [])
        try files.makeDirectory("2711")
        try files.write("2711/bootcode4.bin", "processor")
        #expect(try content("bootcode4.bin") == "processor")
        try files.write("bootcode.bin", "old")
        #expect(try directory().chips == [.bcm2837, .bcm2711])
    }

    @Test func nothingOutsideIsEverOpened() throws {
        try files.makeDirectory("outside")
        try files.write("outside/secret", "secret")
        try files.makeDirectory("boot")
        try files.makeDirectory("boot/inside")
        try files.write("boot/inside/file", "inside")
        try files.makeSymlink("boot/out", to: "../outside/secret")
        try files.makeSymlink("boot/absolute", to: files.file("outside/secret"))
        try files.makeSymlink("boot/dir", to: "../outside")
        try files.makeSymlink("boot/in", to: "inside/file")
        try files.makeSymlink("boot/loop", to: "loop")
        let boot = try BootDirectory(files.file("boot"))
        for name in ["out", "absolute", "dir/secret", "../outside/secret", files.file("outside/secret"), "loop"] {
            guard case .refused(.outside) = boot.find(name, for: .bcm2711, at: "1-1") else {
                Issue.record("\(name) was not refused")
                continue
            }
        }
        // A port's or a processor's directory does not lead out either.
        try files.makeSymlink("boot/1-1", to: "../outside")
        guard case .refused(.outside) = boot.find("secret", for: .bcm2711, at: "1-1") else {
            Issue.record("by the port's directory")
            return
        }
        guard case .found(let file) = boot.find("in", for: .bcm2711, at: "2-1") else {
            Issue.record("a link within the directory is good")
            return
        }
        #expect(try file.content() == Array("inside".utf8))
    }

    @Test func onlyRegularFiles() throws {
        try files.makeDirectory("directory")
        #expect(try refusal("directory") == .notAFile("directory"))
        #expect(try run("mkfifo", files.file("pipe")).status == 0)
        // Comes back at once: nobody writes to the pipe.
        #expect(try refusal("pipe") == .notAFile("pipe"))
        try files.write("large", "")
        #expect(try run("truncate", "-s", "2G", files.file("large")).status == 0)
        #expect(try refusal("large") == .tooLarge("large"))
    }

    @Test func aFileStaysTheSame() throws {
        try files.write("boot.img", "the old one")
        guard case .found(let file) = try directory().find("boot.img", for: .bcm2711, at: "1-1") else {
            Issue.record("not found")
            return
        }
        try files.write("boot.img.new", "new")
        #expect(try run("mv", files.file("boot.img.new"), files.file("boot.img")).status == 0)
        #expect(try file.content() == Array("the old one".utf8))
        #expect(try content("boot.img") == "new")
    }

    @Test func aFileThatShrinksIsNoticed() throws {
        try files.write("boot.img", "long enough")
        guard case .found(let file) = try directory().find("boot.img", for: .bcm2711, at: "1-1") else {
            Issue.record("not found")
            return
        }
        #expect(try run("truncate", "-s", "3", files.file("boot.img")).status == 0)
        #expect(throws: Errno.EPIPE) { try file.content() }
    }

    @Test(arguments: ["ustar", "gnu", "v7", "posix"])
    func archives(format: String) throws {
        try files.makeDirectory("2712")
        try files.makeDirectory("2711")
        try files.write("2712/bootcode5.bin", "boot code")
        try files.write("2712/empty", "")
        try files.write("2712/mcb.bin", [UInt8](repeating: 7, count: 1025))
        try files.write("2711/mcb.bin", "other")
        let long = String(repeating: "l", count: 120)
        // The two others have no room for such a name.
        if format == "gnu" || format == "posix" { try files.write("2712/\(long)", "the long name's") }
        for prefix in ["", "./"] {
            let archived = try run(
                "tar",
                "--format=\(format)",
                "-C",
                files.path,
                "-cf",
                files.file("bootfiles.bin"),
                "\(prefix)2712",
                "\(prefix)2711"
            )
            #expect(archived.status == 0, "\(archived.output)")
            let boot = try files.subdirectoryWithArchive()
            #expect(boot.chips == [.bcm2712])
            func content(_ name: String, _ chip: BootChip = .bcm2712) throws -> [UInt8]? {
                guard case .found(let file) = boot.find(name, for: chip, at: "1-1") else { return nil }
                return try file.content()
            }
            #expect(try content("bootcode5.bin") == Array("boot code".utf8))
            #expect(try content("BOOTCODE5.bin") == Array("boot code".utf8))
            #expect(try content("empty") == [])
            #expect(try content("mcb.bin") == [UInt8](repeating: 7, count: 1025))
            #expect(try content("mcb.bin", .bcm2711) == Array("other".utf8))
            #expect(try content("mcb.bin", .bcm2837) == nil)
            #expect(try content("2712/mcb.bin") == nil)
            // The first 100 bytes of the long name are another file's name.
            #expect(try content(String(long.prefix(95))) == nil)
            #expect(try run("rm", "-r", files.file("with")).status == 0)
        }
    }

    @Test func whatLiesBesideAnArchive() throws {
        try files.makeDirectory("2711")
        try files.write("2711/config.txt", "archived")
        try files.write("2711/only", "archived")
        #expect(try run("tar", "-C", files.path, "-cf", files.file("bootfiles.bin"), "2711").status == 0)
        try files.write("2711/config.txt", "beside")
        try files.write("only", "for all")
        #expect(try run("rm", files.file("2711/only")).status == 0)
        #expect(try content("config.txt") == "beside")
        #expect(try content("only") == "archived")
        #expect(try content("only", .bcm2712) == "for all")
    }

    @Test func damagedArchives() throws {
        try files.makeDirectory("2711")
        try files.write("2711/a", [UInt8](repeating: 1, count: 600))
        try files.write("2711/b", "b")
        #expect(try run("tar", "-C", files.path, "-cf", files.file("whole"), "2711/a", "2711/b").status == 0)
        #expect(try run("rm", "-r", files.file("2711")).status == 0)
        let whole = try files.read("whole")
        func with(_ archive: [UInt8]) throws -> String? {
            try files.write("bootfiles.bin", archive)
            if try refusal("b") == .damagedArchive { return "damaged" }
            return try content("b")
        }
        #expect(try with(whole) == "b")
        // Header, 600 bytes in two blocks, header, one block: only zeros follow.
        #expect(try with(Array(whole[..<2560])) == "b")
        #expect(try with(Array(whole[..<1536])) == nil)
        for end in [1, 511, 513, 1111, 1535, 1537, 2047, 2048] {
            #expect(try with(Array(whole[..<end])) == "damaged", "\(end) bytes")
        }
        var changed = whole
        changed[1536] ^= 0x20
        #expect(try with(changed) == "damaged")
        // A size beyond the archive's end, with a checksum that is right.
        changed = whole
        changed.replaceSubrange(124..<135, with: "77777777777".utf8)
        changed.replaceSubrange(148..<156, with: [UInt8](repeating: 0x20, count: 8))
        let sum = changed[..<512].reduce(0) { $0 + Int($1) }
        let digits = String(sum, radix: 8)
        changed.replaceSubrange(148..<155, with: (String(repeating: "0", count: 6 - digits.count) + digits + "\0").utf8)
        #expect(try with(changed) == "damaged")
        #expect(try with([]) == nil)
        #expect(try with(Array(repeating: 0x41, count: 1024)) == "damaged")
    }
}

extension TemporaryDirectory {
    /// A directory with the archive and nothing else.
    fileprivate func subdirectoryWithArchive() throws -> BootDirectory {
        try makeDirectory("with")
        try run("cp", file("bootfiles.bin"), file("with"))
        return try BootDirectory(file("with"))
    }
}
