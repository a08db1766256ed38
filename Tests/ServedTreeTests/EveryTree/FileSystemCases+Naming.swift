import FakeRoot
import LinuxFiles
import ServedTree
import Testing

extension FileSystemCase {
    /// Neither UTF-8 nor printable: newline, backslash, quotes, 0xff, what ends an escape sequence.
    private static let oddName: [UInt8] = [0xff, 0x0a, 0x5c, 0x22, 0x27, 0x1b, 0x20, 0xc3, 0x7f, 0x01]

    static let naming: [FileSystemCase] = [
        FileSystemCase(
            "names are bytes, whatever they are, and up to 255 of them",
            change: { (files) throws in
                let path: TestPath = [oddName, oddName]
                try files.makeDirectory([oddName])
                try files.make(path, "text")
                try files.makeSymlink([oddName, Array("l".utf8)], to: oddName, gid: 3)
                try files.make([[UInt8](repeating: 0xfe, count: 255)])
            },
            check: { (files) throws in
                #expect(try files.names(in: "") == [[UInt8](repeating: 0xfe, count: 255), oddName])
                #expect(try files.names(in: [oddName]) == [Array("l".utf8), oddName])
                #expect(try files.text([oddName, oddName]) == "text")
                #expect(try files.linkTarget([oddName, Array("l".utf8)]) == oddName)
            }
        ),
        FileSystemCase(
            "a second name of a file: one number, two links, one content and owner",
            { (files) throws in try files.by(uid: 8).make("a", "text", mode: 0o4755) },
            change: { try $0.link("a", as: "b") },
            check: { (files) throws in
                let (one, other) = (try files.status("a"), try files.status("b"))
                #expect(one == other && one.links == 2)
                try files.change("b", mode: 0o700)
                #expect(try files.look("a") == "8:0 100700")
                try files.unlink("a")
                #expect(try files.look("b") == "8:0 100700" && files.status("b").links == 1)
            }
        ),
        FileSystemCase(
            "a second name of a device and of a symbolic link",
            { (files) throws in
                try files.makeNode("null", .character(major: 1, minor: 3), gid: 0, mode: 0o666)
                try files.makeSymlink("l", to: Array("x".utf8), gid: 4)
            },
            change: { (files) throws in
                try files.link("null", as: "null2")
                try files.link("l", as: "l2")
            },
            check: { (files) throws in
                #expect(try files.status("null2").kind == .character(major: 1, minor: 3))
                #expect(try files.look("l2") == "0:4 120777")
            }
        ),
        FileSystemCase(
            "a second name of a directory is EPERM",
            { try $0.makeDirectory("d") },
            change: { (files) throws in try expectOrRefuse(.EPERM) { try files.link("d", as: "e") } }
        ),
        FileSystemCase(
            "a second name that is taken is EEXIST",
            { (files) throws in
                try files.make("a", "a")
                try files.make("b", "b")
            },
            change: { (files) throws in try expectOrRefuse(.EEXIST) { try files.link("a", as: "b") } },
            check: { (files) throws in #expect(try files.text("b") == "b") }
        ),
        FileSystemCase(
            "a renamed file stays the same file",
            { (files) throws in
                try files.by(uid: 9).make("a", "text", mode: 0o750)
                try files.makeDirectory("d")
            },
            change: { (files) throws in
                let before = try files.status("a")
                try files.rename("a", to: "d/b")
                #expect(try files.status("d/b") == before)
            },
            check: { (files) throws in
                #expect(try files.listing() == ["d"] && files.text("d/b") == "text")
                #expect(try files.look("d/b") == "9:0 100750")
            }
        ),
        FileSystemCase(
            "a rename over a file replaces it; its owner doesn't stay behind",
            { (files) throws in
                try files.by(uid: 1).make("a", "new")
                try files.by(uid: 2).make("b", "old", mode: 0o4755)
            },
            change: { try $0.rename("a", to: "b") },
            check: { (files) throws in
                #expect(try files.text("b") == "new" && files.look("b") == "1:0 100644" && files.listing() == ["b"])
            }
        ),
        FileSystemCase(
            "a rename between two names of one file leaves both",
            { (files) throws in
                try files.make("a", "text")
                try files.link("a", as: "b")
            },
            change: { try $0.rename("a", to: "b") },
            check: { (files) throws in #expect(try files.listing() == ["a", "b"]) }
        ),
        FileSystemCase(
            "a directory moves with all that is in it",
            { (files) throws in
                try files.makeDirectory("a")
                try files.makeDirectory("a/b")
                try files.make("a/b/f", "text")
                try files.makeDirectory("c")
            },
            change: { try $0.rename("a", to: "c/d") },
            check: { (files) throws in #expect(try files.text("c/d/b/f") == "text" && files.listing() == ["c"]) }
        ),
        FileSystemCase(
            "a directory doesn't move into itself, nor over one that isn't empty",
            { (files) throws in
                try files.makeDirectory("a")
                try files.makeDirectory("b")
                try files.make("b/f")
            },
            change: { (files) throws in
                try expectOrRefuse(.EINVAL) { try files.rename("a", to: "a/c") }
                try expectOrRefuse(.ENOTEMPTY) { try files.rename("a", to: "b") }
            },
            check: { (files) throws in #expect(try files.listing() == ["a", "b"]) }
        ),
        FileSystemCase(
            "a removed file is gone",
            { try $0.by(uid: 4).make("f", "text") },
            change: { try $0.unlink("f") },
            check: { (files) throws in
                #expect(try files.listing() == [])
                expect(.ENOENT) { _ = try files.status("f") }
                // Whatever inode number the next one gets, it is root's.
                try files.make("f")
                #expect(try files.look("f") == "0:0 100644")
            }
        ),
        FileSystemCase(
            "a removed file lives as long as it is open",
            { try $0.by(uid: 4).make("f", "text", mode: 0o640) },
            change: { (files) throws in
                let file = try files.open("f", [.read, .write])
                try files.unlink("f")
                #expect(try file.read(10, at: 0) == Array("text".utf8))
                try file.write(Array("more".utf8), at: 4)
                #expect(try file.status().size == 8 && file.status().links == 0)
                #expect(try file.status().look == "4:0 100640")
                try file.change(AttributeChange(OwnerAndMode(uid: 5, permissions: 0o600), size: 2))
                #expect(try file.status().look == "5:0 100600" && file.read(10, at: 0) == Array("te".utf8))
            },
            check: { (files) throws in #expect(try files.listing() == []) }
        ),
        FileSystemCase(
            "an empty directory is removed, and no other",
            { (files) throws in
                try files.makeDirectory("empty")
                try files.makeDirectory("full")
                try files.make("full/f")
                try files.make("f")
            },
            change: { (files) throws in
                try expectOrRefuse(.ENOTEMPTY) { try files.removeDirectory("full") }
                try expectOrRefuse(.ENOTDIR) { try files.removeDirectory("f") }
                try expectOrRefuse(.EISDIR) { try files.unlink("empty") }
                try files.removeDirectory("empty")
            },
            check: { (files) throws in #expect(try files.listing() == ["f", "full"]) }
        ),
        FileSystemCase(
            "names that are the metadata's own can't be made",
            change: { (files) throws in
                try expectOrRefuse(.EINVAL) { try files.makeDirectory("x.usb9pfs.db") }
                try expectOrRefuse(.EINVAL) { try files.make(".usb9pfs-new.1") }
            },
            check: { (files) throws in #expect(try files.listing() == []) }
        ),
    ]
}
