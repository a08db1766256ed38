import FakeRoot
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// What a file has lost is the same for a check, an export and a server. Each case here was different for one of them.
@Suite struct LabelLossTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// As of `ImportFixture.archive`.
        var archive: String
        /// Beside the tree "root", after the import.
        var edit: String
        /// After the tree was served; nil if it isn't.
        var editOnceServed: String?
        var file: String
        /// Owner and mode for the board.
        var seen: String
        var findings: [CheckFinding.Kind] = []
        var lostPrivileges: [String] = []
        /// Whether the file has the import's capability.
        var hasCapability = false
    }

    private static let label = "user.containers.override_stat"
    private static let capability = "user.containers.override_security.capability"
    private static let program = """
        cap = bytes.fromhex('0100000200200000000000000000000000000000').decode('latin-1')
        add('ping', data=b'p', mode=0o755, pax={'SCHILY.xattr.security.capability': cap})
        add('user', data=b'u', mode=0o755, uid=5, pax={'SCHILY.xattr.security.capability': cap})
        add('su', data=b'su', mode=0o4755); add('game', data=b'1', mode=0o2755, uid=5, gid=60)
        add('a', uid=1000, gid=1000); add('null', C, devmajor=1, devminor=3, mode=0o666)
        """

    static let cases = [
        Case(
            testDescription: "a label that says no more than the host's file is a label",
            archive: program,
            edit: "setfattr -n \(label) -v 0:0:0644:file root/a",
            file: "a",
            seen: "0:0 100644"
        ),
        Case(
            testDescription: "a label that isn't believed is a label",
            archive: program,
            edit: "chmod 666 root/null; setfattr -n \(label) -v 0:0:0666:block-8-0 root/null",
            file: "null",
            seen: "0:0 100666",
            findings: [.labelNotBelieved]
        ),
        Case(
            testDescription: "a capability that the import's own file lacks was taken away",
            archive: program,
            edit: "setfattr -x \(capability) root/ping",
            file: "ping",
            seen: "0:0 100755"
        ),
        Case(
            testDescription: "with its label a file gets the import's capability, whatever it had",
            archive: program,
            edit:
                "cp root/user x; setfattr -n \(capability) -v 0x0100000200040000000000000000000000000000 x; mv x root/user",
            file: "user",
            seen: "5:0 100755",
            findings: [.labelLost],
            hasCapability: true
        ),
        Case(
            testDescription: "privileges that are lost stay so once the label is back",
            archive: program,
            edit: "sed -i s/1/2/ root/game; touch -d '1 minute ago' root/game",
            editOnceServed: "true",
            file: "game",
            seen: "5:60 100755",
            findings: [.privilegesLost],
            lostPrivileges: ["game"]
        ),
        Case(
            testDescription: "a program that got its label back without setuid has none, whatever its content is later",
            archive: program,
            edit: "cp root/su su; sed -i s/su/no/ root/su; touch -d '1 minute ago' root/su",
            editOnceServed: "cat su > root/su",
            file: "su",
            seen: "0:0 100755"
        ),
        Case(
            testDescription: "a file that lost everything",
            archive: program,
            edit: "cp root/su x; mv x root/su",
            file: "su",
            seen: "0:0 104755",
            findings: [.labelLost]
        ),
        Case(
            testDescription: "a file that lost its privileges and is not served yet",
            archive: program,
            edit: "sed -i s/1/2/ root/game; touch -d '1 minute ago' root/game",
            file: "game",
            seen: "5:60 100755",
            findings: [.privilegesLost],
            lostPrivileges: ["game"]
        ),
    ]

    @Test(arguments: cases)
    func isTheSameForAll(_ test: Case) throws {
        let fixture = try ExportFixture(test.archive)
        let root = fixture.host.file("root")
        try fixture.shell(test.edit)
        if let edit = test.editOnceServed {
            _ = try serve(root, test.file)
            try fixture.shell(edit)
        }
        let report = try TreeCheck(directory: root).run()
        let findings = report.findings.filter { $0.path == test.file }
        #expect(findings.map(\.kind) == test.findings, "\(report.findings)")

        let summary = try fixture.exporting("b.tar")
        #expect(summary.lostPrivileges == test.lostPrivileges)
        let exported = try ImportFixture()
        try exported.importing(fixture.host.file("b.tar"))
        let copy = try exported.status(test.file)
        #expect("\(copy.uid):\(copy.gid) \(String(copy.mode, radix: 8))" == test.seen, "as it is exported")
        let capability = try? exported.attribute("security.capability", of: test.file)
        #expect((capability?[5] == 0x20) == test.hasCapability && (capability != nil) == test.hasCapability)

        let served = try serve(root, test.file)
        #expect(served.seen == test.seen, "as it is served")
        #expect(served.capability == capability)
    }

    /// What the board sees of a file, which may give its label back.
    private func serve(_ root: String, _ name: String) throws -> (seen: String, capability: [UInt8]?) {
        let tree = try FakeRootTree(directory: root)
        let file = try tree.lookup(FileName(name), in: tree.root.raw)
        let status = try tree.status(of: file.raw)
        let capability = try? tree.attribute(Array("security.capability".utf8).span.bytes, of: file.raw)
        return ("\(status.uid):\(status.gid) \(String(status.mode, radix: 8))", capability)
    }
}
