import CommandSupport
import FakeRoot
import JSONText
import LinuxFiles
import TestSupport
import Testing
import TreeTools

@Suite struct TreeViewTests {
    private func lines(
        _ fixture: TreeToolsFixture,
        _ names: [String],
        _ style: TreeListing.Style = .init(),
        isRecursive: Bool = false,
        entersDirectories: Bool = true
    ) throws -> [String] {
        var lines: [String] = []
        let listing = TreeListing(
            fixture.paths,
            style,
            isRecursive: isRecursive,
            entersDirectories: entersDirectories
        ) { lines.append($0.replacingPrefix(fixture.host.file("root"), by: "ROOT")) }
        try listing.run(names.map(fixture.path))
        return lines
    }

    @Test func aDirectoryHasColumns() throws {
        let fixture = try TreeToolsFixture()
        try TreeEditor(fixture.paths).changeOwner(of: [fixture.path("etc/group")], to: Ownership("user:disk"))
        let lines = try lines(fixture, ["etc"])
        #expect(lines.count == 2)
        #expect(lines[0].hasPrefix("-rw-r--r-- 1 user disk 33 ") && lines[0].hasSuffix(" group"))
        #expect(lines[1].hasPrefix("-rw-r--r-- 1 root root 50 ") && lines[1].hasSuffix(" passwd"))
        let numeric = try self.lines(fixture, ["etc"], .init(isNumeric: true, isHumanReadable: true))
        #expect(numeric[0].hasPrefix("-rw-r--r-- 1 1000 6 33 B "))
    }

    @Test func severalHaveTitles() throws {
        let fixture = try TreeToolsFixture()
        let lines = try lines(fixture, ["deep"], isRecursive: true)
        #expect(lines.count == 5)
        #expect(lines[0] == "ROOT/deep:" && lines[2] == "" && lines[3] == "ROOT/deep/er:")
        #expect(lines[1].hasSuffix(" er") && lines[4].hasSuffix(" file"))
    }

    @Test func aLinkShowsItsTarget() throws {
        let fixture = try TreeToolsFixture()
        let lines = try lines(fixture, ["bin/link"], entersDirectories: false)
        #expect(lines[0].hasPrefix("lrwxrwxrwx 1 root root 2 ") && lines[0].hasSuffix("/bin/link -> su"))
    }

    @Test func jsonIsOneDocument() throws {
        let fixture = try TreeToolsFixture()
        let lines = try lines(fixture, ["bin"], .init(isJSON: true))
        let document = try JSONValue(parsing: Array(#require(lines.first).utf8))
        #expect(lines.count == 1 && document["version"]?.integer == 1)
        let files = try #require(document["files"]?.array)
        #expect(files.map { $0["type"]?.string } == ["symbolic link", "regular file"])
        #expect(files[0]["target"]?.string == "su" && files[1]["mode"]?.string == "0755")
        #expect(
            files[1].object?.map(\.key) == [
                "path", "type", "mode", "uid", "gid", "user", "group", "size", "links", "attributes", "host",
            ]
        )
    }

    @Test func aFileInFull() throws {
        let fixture = try TreeToolsFixture()
        let program = fixture.path("bin/su")
        let editor = TreeEditor(fixture.paths)
        try editor.changeMode(of: [program], to: #require(ModeChange(argument: "u+s,g+s,o=t")))
        try editor.setCapabilities(of: [program], to: TreeEditor.capabilities("cap_net_raw+ep"))
        let view = try BoardView(fixture.paths.open(program, following: true))
        #expect(view.modeText == "-rwsr-s--T")
        let lines = view.description.split(separator: "\n")
        #expect(
            Array(lines[1...4]) == [
                "  type    regular file, 7 bytes, links 1", "  mode    7750 -rwsr-s--T",
                "  owner   0 (root), group 0 (root)",
                "  xattr   security.capability cap_net_raw=ep",
            ]
        )
    }

    @Test func pathsOutsideOfTheTreeAreRefused() throws {
        let fixture = try TreeToolsFixture()
        let failure = try fixture.failure { _ = try fixture.paths.open("/etc/passwd", following: true) }
        #expect(failure.cause == .badInput && failure.message.hasPrefix("/etc/passwd does not lie in "))
        #expect(
            try fixture.failure { _ = try fixture.paths.open("", following: true) }.message
                == "a path must not be empty"
        )
    }

    /// On the board an absolute link leads beneath the tree's root.
    @Test func linksLeadWhereTheyLeadOnTheBoard() throws {
        let fixture = try TreeToolsFixture()
        _ = try run("ln", "-s", "/etc/passwd", fixture.path("bin/absolute"))
        let file = try fixture.paths.open(fixture.path("bin/absolute"), following: true)
        #expect(try file.status().host.size == 50)
    }
}

extension String {
    fileprivate func replacingPrefix(_ prefix: String, by other: String) -> String {
        hasPrefix(prefix) ? other + dropFirst(prefix.count) : self
    }
}
