import FakeRoot
import LinuxFiles
import ServedTree
import Testing

extension FileSystemCase {
    static let reading: [FileSystemCase] = [
        FileSystemCase("a file's content is read from any offset, and ends") { (files) throws in
            try files.make("f", "0123456789")
        } check: { (files) throws in
            let file = try files.open("f", .read)
            #expect(try file.read(4, at: 0) == Array("0123".utf8))
            #expect(try file.read(100, at: 7) == Array("789".utf8))
            #expect(try file.read(100, at: 10) == [] && file.read(1, at: 1 << 40) == [])
            expect(.EINVAL) { _ = try file.read(1, at: 1 << 63) }
        },
        FileSystemCase("a file that was opened to be written can't be read, and the other way round") {
            (files) throws in
            try files.make("f", "text")
            let file = try files.open("f", .write)
            expect(.EBADF) { _ = try file.read(1, at: 0) }
        } check: { (files) throws in
            let file = try files.open("f", .read)
            // A file system that can't be changed may say so first.
            #expect(throws: Errno.self) { try file.write([1], at: 0) }
            #expect(try files.text("f") == "text")
        },
        FileSystemCase("a directory is read in parts; every cookie may be replayed, forwards and backwards") {
            (files) throws in
            for index in 0..<10 { try files.make(TestPath([Array("file-\(index)".utf8)])) }
        } check: { (files) throws in
            let directory = try files.openDirectory("")
            var parts: [(cookie: UInt64, names: [[UInt8]])] = []
            var cookie: UInt64 = 0
            while true {
                let part = try directory.read(after: cookie)
                guard let last = part.last else { break }
                parts.append((cookie, part.map(\.name)))
                cookie = last.cookie
            }
            #expect(parts.flatMap(\.names).count == 12 && Set(parts.flatMap(\.names)).count == 12)
            for part in parts.reversed() { #expect(try directory.read(after: part.cookie).map(\.name) == part.names) }
            for part in parts { #expect(try directory.read(after: part.cookie).map(\.name) == part.names) }
            #expect(try directory.read(after: cookie).isEmpty)
            expect(.EINVAL) { _ = try directory.read(after: 1000) }
        },
        FileSystemCase("a directory's entries have the numbers and kinds that their status has") { (files) throws in
            try files.make("file")
            try files.makeDirectory("directory")
            try files.makeSymlink("link", to: Array("file".utf8), gid: 0)
            try files.makeNode("null", .character(major: 1, minor: 3), gid: 0, mode: 0o666)
            try files.makeNode("pipe", .pipe, gid: 0, mode: 0o600)
        } check: { (files) throws in
            let directory = try files.openDirectory("")
            var cookie: UInt64 = 0
            var count = 0
            while true {
                let part = try directory.read(after: cookie)
                guard let last = part.last else { break }
                for entry in part {
                    let path = TestPath([[UInt8]](entry.name == Array("..".utf8) ? [] : [entry.name]))
                    let seen = try files.status(path)
                    #expect(seen.number == entry.number && seen.kind.format == entry.format)
                    count += 1
                }
                cookie = last.cookie
            }
            #expect(count == 7)
        },
        FileSystemCase("a file is not a directory, and a directory no file") { (files) throws in
            try files.make("f", "text")
            try files.makeDirectory("d")
        } check: { (files) throws in
            expect(.ENOTDIR) { _ = try files.openDirectory("f") }
            expect(.ENOTDIR) { _ = try files.status("f/x") }
            expect(.ENOTDIR) { _ = try files.open("f", [.read, .directory]) }
            expect(.EINVAL) { _ = try files.linkTarget("f") }
        },
        FileSystemCase("names lead nowhere that isn't there, and not above the root") { (files) throws in
            try files.makeDirectory("d")
        } check: { (files) throws in
            expect(.ENOENT) { _ = try files.status("no") }
            expect(.ENOENT) { _ = try files.status("d/no") }
            expect(.ENAMETOOLONG) { _ = try files.status([[UInt8](repeating: 97, count: 256)]) }
            #expect(try files.status("..").number == files.status("").number)
            #expect(try files.status("d/../d/./..").number == files.status("").number)
        },
        FileSystemCase("a symbolic link says where it points, and is never followed") { (files) throws in
            try files.makeSymlink("link", to: Array("../../etc/passwd".utf8), gid: 0)
            try files.makeSymlink("long", to: [UInt8](repeating: 97, count: 4095), gid: 0)
        } check: { (files) throws in
            #expect(try files.linkTarget("link") == Array("../../etc/passwd".utf8))
            #expect(try files.linkTarget("long").count == 4095)
            expect(.ELOOP) { _ = try files.open("link", .read) }
            expect(.ENOTDIR) { _ = try files.status("link/x") }
        },
        FileSystemCase("a special node can't be opened here: it is the board's") { (files) throws in
            try files.makeNode("null", .character(major: 1, minor: 3), gid: 0, mode: 0o666)
            try files.makeNode("pipe", .pipe, gid: 0, mode: 0o666)
        } check: { (files) throws in
            for path in ["null", "pipe"] as [TestPath] { expect(.ENXIO) { _ = try files.open(path, .read) } }
        },
        FileSystemCase("the file system tells of its room") { _ in
        } check: { (files) throws in
            let status = try files.fileSystemStatus()
            #expect(status.nameLength == 255 && status.blockSize >= 512)
        },
        FileSystemCase("an attribute that isn't there is ENODATA, and the list is empty") { (files) throws in
            try files.make("f")
        } check: { (files) throws in
            expect(.ENODATA) { _ = try files.attribute("user.no", of: "f") }
            expect(.ENODATA) { _ = try files.attribute("security.capability", of: "f") }
            #expect(try files.attributeNames(of: "f") == [])
        },
        FileSystemCase("synchronizing an open file and directory succeeds") { (files) throws in
            try files.make("f", "text")
        } check: { (files) throws in
            try files.open("f", .read).synchronize()
            try files.open("", [.read, .directory]).synchronize()
        },
    ]
}
