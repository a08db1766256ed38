import FakeRoot
import LinuxFiles
import ServedTree
import Testing

extension FileSystemCase {
    static let content: [FileSystemCase] = [
        FileSystemCase(
            "what is written is read, at any offset, with a hole before it",
            { try $0.make("f", "0123456789") },
            change: { (files) throws in
                try files.write("f", "abc", at: 4)
                try files.write("f", "end", at: 20)
            },
            check: { (files) throws in
                let end = [UInt8](repeating: 0, count: 10) + Array("end".utf8)
                #expect(try files.content("f") == Array("0123abc789".utf8) + end)
            }
        ),
        FileSystemCase(
            "a file is cut off and made longer",
            { try $0.make("f", "0123456789") },
            change: { (files) throws in
                try files.change("f", AttributeChange(size: 3))
                #expect(try files.status("f").size == 3)
                try files.change("f", AttributeChange(size: 5))
            },
            check: { (files) throws in #expect(try files.content("f") == Array("012".utf8) + [0, 0]) }
        ),
        FileSystemCase(
            "a size is EISDIR for a directory, EINVAL for a device",
            { (files) throws in
                try files.makeDirectory("d")
                try files.makeNode("c", .character(major: 1, minor: 3), gid: 0, mode: 0o666)
            },
            change: { (files) throws in
                try expectOrRefuse(.EISDIR) { try files.change("d", AttributeChange(size: 0)) }
                try expectOrRefuse(.EINVAL) { try files.change("c", AttributeChange(size: 0)) }
            }
        ),
        FileSystemCase(
            "a file that is opened so is emptied",
            { try $0.make("f", "text", mode: 0o640) },
            change: { _ = try $0.open("f", [.write, .truncate]) },
            check: { (files) throws in #expect(try files.status("f").size == 0 && files.look("f") == "0:0 100640") }
        ),
        FileSystemCase(
            "a directory can't be opened to be written",
            { try $0.makeDirectory("d") },
            change: { (files) throws in try expectOrRefuse(.EISDIR) { _ = try files.open("d", .write) } }
        ),
        FileSystemCase(
            "what another user than root writes to loses setuid and capabilities",
            { (files) throws in
                try files.make("f", "text", mode: 0o6755)
                try files.setAttribute("security.capability", of: "f", to: capability)
            },
            change: { try $0.by(uid: 1000).write("f", "x") },
            check: { (files) throws in
                #expect(try files.look("f") == "0:0 100755")
                expect(.ENODATA) { _ = try files.attribute("security.capability", of: "f") }
            }
        ),
        FileSystemCase(
            "what root writes to keeps setuid and capabilities",
            { (files) throws in
                try files.make("f", "text", mode: 0o6755)
                try files.setAttribute("security.capability", of: "f", to: capability)
            },
            change: { try $0.write("f", "x") },
            check: { (files) throws in
                #expect(try files.look("f") == "0:0 106755")
                #expect(try files.attribute("security.capability", of: "f") == capability)
            }
        ),
        FileSystemCase(
            "what another user than root cuts off, or opens to be emptied, loses setuid",
            { (files) throws in
                try files.make("a", "text", mode: 0o4755)
                try files.make("b", "text", mode: 0o4755)
            },
            change: { (files) throws in
                try files.by(uid: 1000).change("a", AttributeChange(size: 1))
                _ = try files.by(uid: 1000).open("b", [.write, .truncate])
            },
            check: { (files) throws in #expect(try files.look("a") == "0:0 100755" && files.look("b") == "0:0 100755") }
        ),
    ]

    /// cap_net_raw+ep
    static let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20] + [UInt8](repeating: 0, count: 14)
}
