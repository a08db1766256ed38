import CommandSupport
import FakeRoot
import LinuxFiles
import TestSupport
import Testing
import TreeTools

@Suite struct TreeEditorTests {
    private func mode(_ text: String) throws -> ModeChange { try #require(ModeChange(argument: text)) }

    @Test func ownersByNameAndNumber() throws {
        let fixture = try TreeToolsFixture()
        let editor = TreeEditor(fixture.paths)
        for (owner, expected) in [
            ("user:disk", "1000:6 100644"), (":0", "1000:0 100644"), ("7", "7:0 100644"), ("user:", "1000:1000 100644"),
        ] {
            try editor.changeOwner(of: [fixture.path("etc/passwd")], to: Ownership(owner))
            #expect(try fixture.seen("etc/passwd") == expected)
        }
    }

    @Test(arguments: [
        ("nobody", "the board has no user 'nobody'"), ("0:wheel", "the board has no group 'wheel'"),
        ("4294967295", "Linux has no user 4294967295: the largest number is 4294967294"),
    ])
    func ownersThatThereAreNot(_ owner: String, _ message: String) throws {
        let fixture = try TreeToolsFixture()
        let failure = try fixture.failure {
            try TreeEditor(fixture.paths).changeOwner(of: [fixture.path("bin/su")], to: Ownership(owner))
        }
        #expect(failure.cause == .badInput && failure.message == message)
    }

    @Test func aNewOwnerTakesPrivilegesAway() throws {
        let fixture = try TreeToolsFixture()
        let (editor, program) = (TreeEditor(fixture.paths), fixture.path("bin/su"))
        try editor.setCapabilities(of: [program], to: TreeEditor.capabilities("cap_net_raw+ep"))
        try editor.changeMode(of: [program], to: mode("6755"))
        #expect(try fixture.seen("bin/su") == "0:0 106755")
        try editor.changeOwner(of: [program], to: Ownership("user"))
        #expect(try fixture.seen("bin/su") == "1000:0 100755")
        #expect(try BoardView(fixture.paths.open(program, following: true)).attributes.isEmpty)
        // Without execution for the group the setgid bit means another thing.
        try editor.changeMode(of: [program], to: mode("6745"))
        try editor.changeOwner(of: [program], to: Ownership("0"))
        #expect(try fixture.seen("bin/su") == "0:0 102745")
    }

    @Test func recursionFollowsNoLinks() throws {
        let fixture = try TreeToolsFixture()
        let editor = TreeEditor(fixture.paths, isRecursive: true)
        try editor.changeOwner(of: [fixture.path("deep"), fixture.path("bin")], to: Ownership("5:6"))
        for (name, expected) in [
            ("deep", "5:6 40755"), ("deep/er", "5:6 40755"), ("deep/er/file", "5:6 100644"), ("bin/link", "5:6 120777"),
            ("etc", "0:0 40755"),
        ] {
            #expect(try fixture.seen(name) == expected)
        }
    }

    @Test func aLinkIsFollowedOrMeant() throws {
        let fixture = try TreeToolsFixture()
        let link = fixture.path("bin/link")
        try TreeEditor(fixture.paths).changeOwner(of: [link], to: Ownership("5"))
        #expect(try fixture.seen("bin/su") == "5:0 100755" && fixture.seen("bin/link") == "0:0 120777")
        try TreeEditor(fixture.paths, keepsLinks: true).changeOwner(of: [link], to: Ownership("6"))
        #expect(try fixture.seen("bin/su") == "5:0 100755" && fixture.seen("bin/link") == "6:0 120777")
    }

    @Test func theOthersAreChangedAfterOneThatIsNotThere() throws {
        let fixture = try TreeToolsFixture()
        let failure = try fixture.failure {
            let files = [fixture.path("nothing"), fixture.path("bin/su")]
            try TreeEditor(fixture.paths).changeMode(of: files, to: mode("700"))
        }
        #expect(failure.cause == .notFound && failure.message.hasSuffix("root/nothing: No such file or directory"))
        #expect(try fixture.seen("bin/su") == "0:0 100700")
    }

    @Test func nodes() throws {
        let fixture = try TreeToolsFixture()
        let editor = TreeEditor(fixture.paths)
        let disk = NodeKind.block(major: 8, minor: 1)
        try editor.makeNode(at: fixture.path("etc/sda1"), disk, owner: Ownership("0:disk"), mode: mode("660"))
        #expect(try fixture.seen("etc/sda1") == "0:6 60660")
        let again = try fixture.failure {
            try editor.makeNode(at: fixture.path("etc/sda1"), .pipe, owner: Ownership("0"), mode: mode("600"))
        }
        #expect(again.cause == .badInput && again.message.hasSuffix(": File exists"))
        let noName = try fixture.failure {
            try editor.makeNode(at: fixture.path(".."), .pipe, owner: Ownership("0"), mode: mode("600"))
        }
        #expect(noName.message.hasSuffix("does not end in a name"))
    }

    @Test func capabilitiesAreForRegularFiles() throws {
        let fixture = try TreeToolsFixture()
        let editor = TreeEditor(fixture.paths)
        let failure = try fixture.failure {
            try editor.setCapabilities(of: [fixture.path("etc")], to: TreeEditor.capabilities("cap_net_raw+ep"))
        }
        #expect(failure.message.hasSuffix("is not a regular file, and only those have capabilities"))
        try editor.setCapabilities(of: [fixture.path("bin/su")], to: nil)  // there are none to remove
        #expect(throws: CommandFailure.self) { try TreeEditor.capabilities("cap_nothing+ep") }
    }
}
