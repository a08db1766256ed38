import FakeRoot
import LinuxFiles
import ServedTree
import Testing

extension FileSystemCase {
    static let making: [FileSystemCase] = [
        FileSystemCase(
            "a new file is the caller's, has the group and mode that was asked for, and is empty",
            change: { (files) throws in
                let file = try files.by(uid: 1000).create("f", [.read, .write], gid: 100, mode: 0o640)
                #expect(try file.status().look == "1000:100 100640")
                try file.write(Array("text".utf8), at: 0)
                #expect(try file.read(10, at: 0) == Array("text".utf8))
            },
            check: { (files) throws in
                #expect(try files.look("f") == "1000:100 100640")
                #expect(try files.text("f") == "text")
            }
        ),
        FileSystemCase(
            "a new file's setuid, setgid and sticky bits are kept",
            change: { try $0.make("f", gid: 5, mode: 0o7755) },
            check: { (files) throws in #expect(try files.look("f") == "0:5 107755") }
        ),
        FileSystemCase(
            "what may not even be read by its owner is made, written and read by the board's root",
            change: { try $0.make("f", "text", mode: 0) },
            check: { (files) throws in
                #expect(try files.look("f") == "0:0 100000")
                #expect(try files.text("f") == "text")
            }
        ),
        FileSystemCase(
            "a file that is there is opened, and is not changed",
            { try $0.make("f", "text", mode: 0o640) },
            change: { (files) throws in
                let file = try files.by(uid: 7).create("f", [.read, .write], gid: 7, mode: 0o777)
                #expect(try file.read(10, at: 0) == Array("text".utf8))
            },
            check: { (files) throws in
                #expect(try files.look("f") == "0:0 100640")
                #expect(try files.listing() == ["f"])
            }
        ),
        FileSystemCase(
            "a file that is there is EEXIST for who wants it new",
            { try $0.make("f", "text") },
            change: { (files) throws in
                try expectOrRefuse(.EEXIST) {
                    _ = try files.create("f", [.read, .write, .exclusive], gid: 0, mode: 0o600)
                }
            },
            check: { (files) throws in #expect(try files.text("f") == "text") }
        ),
        FileSystemCase(
            "a directory is not opened in a new file's place",
            { try $0.makeDirectory("d") },
            change: { (files) throws in
                try expectOrRefuse(.EISDIR) { _ = try files.create("d", .write, gid: 0, mode: 0o600) }
            }
        ),
        FileSystemCase(
            "a directory with owner, group and mode",
            change: { try $0.by(uid: 33).makeDirectory("d", gid: 34, mode: 0o3770) },
            check: { (files) throws in
                #expect(try files.look("d") == "33:34 43770")
                #expect(try files.listing("d") == [])
            }
        ),
        FileSystemCase(
            "a directory over something is EEXIST",
            { try $0.make("f") },
            change: { (files) throws in try expectOrRefuse(.EEXIST) { try files.makeDirectory("f") } }
        ),
        FileSystemCase(
            "a block device",
            change: { try $0.makeNode("sda1", .block(major: 8, minor: 1), gid: 6, mode: 0o660) },
            check: { (files) throws in
                let seen = try files.status("sda1")
                #expect(seen.kind == .block(major: 8, minor: 1) && seen.look == "0:6 60660" && seen.size == 0)
            }
        ),
        FileSystemCase(
            "a character device with large numbers",
            change: { try $0.makeNode("c", .character(major: 4095, minor: 1_048_575), gid: 0, mode: 0o600) },
            check: { (files) throws in #expect(try files.status("c").kind == .character(major: 4095, minor: 1_048_575))
            }
        ),
        FileSystemCase(
            "a device number that Linux lacks is EINVAL",
            change: { (files) throws in
                try expectOrRefuse(.EINVAL) { try files.makeNode("c", .block(major: 4096, minor: 0), gid: 0, mode: 0) }
            },
            check: { (files) throws in #expect(try files.listing() == []) }
        ),
        FileSystemCase(
            "a FIFO",
            change: { try $0.by(uid: 3).makeNode("p", .pipe, gid: 0, mode: 0o622) },
            check: { (files) throws in #expect(try files.look("p") == "3:0 10622" && files.status("p").kind == .pipe) }
        ),
        FileSystemCase(
            "a socket",
            change: { try $0.makeNode("s", .socket, gid: 0, mode: 0o777) },
            check: { (files) throws in #expect(try files.look("s") == "0:0 140777" && files.status("s").kind == .socket)
            }
        ),
        FileSystemCase(
            "a plain file by mknod",
            change: { try $0.makeNode("f", .file, gid: 0, mode: 0o604) },
            check: { (files) throws in #expect(try files.look("f") == "0:0 100604") }
        ),
        FileSystemCase(
            "a directory by mknod is EINVAL",
            change: { (files) throws in
                try expectOrRefuse(.EINVAL) { try files.makeNode("d", .directory, gid: 0, mode: 0o755) }
            }
        ),
        FileSystemCase(
            "a symbolic link of the caller's",
            change: { try $0.by(uid: 12).makeSymlink("l", to: Array("no/such/file".utf8), gid: 13) },
            check: { (files) throws in
                #expect(try files.look("l") == "12:13 120777")
                #expect(try files.linkTarget("l") == Array("no/such/file".utf8))
                #expect(try files.status("l").size == 12)
            }
        ),
        FileSystemCase(
            "a symbolic link to nothing is ENOENT",
            change: { (files) throws in try expectOrRefuse(.ENOENT) { try files.makeSymlink("l", to: [], gid: 0) } },
            check: { (files) throws in #expect(try files.listing() == []) }
        ),
        FileSystemCase(
            "an owner that Linux lacks is EINVAL",
            change: { (files) throws in
                try expectOrRefuse(.EINVAL) { try files.makeDirectory("d", gid: .max, mode: 0o755) }
            },
            check: { (files) throws in #expect(try files.listing() == []) }
        ),
        FileSystemCase(
            "something in a file is ENOTDIR",
            { try $0.make("f") },
            change: { (files) throws in try expectOrRefuse(.ENOTDIR) { try files.makeDirectory("f/d") } }
        ),
    ]
}

/// Runs a body that throws only an errno.
func asErrno(_ body: () throws -> Void) throws(Errno) {
    do {
        try body()
    } catch let error as Errno {
        throw error
    } catch {
        Issue.record(error)
    }
}

/// Expects a change to fail so; passes on that a file system can't be changed.
func expectOrRefuse(
    _ errno: Errno,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) throws {
    do throws(Errno) {
        try asErrno(body)
        Issue.record("it succeeded, and was to be \(errno)", sourceLocation: sourceLocation)
    } catch {
        guard error != .EROFS else { throw error }
        #expect(error == errno, sourceLocation: sourceLocation)
    }
}
