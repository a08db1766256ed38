import FakeRoot
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// What a check says of labels that everybody could have written.
@Suite("Checking labels on files that everybody may write to") struct CheckTests {
    private func check(_ fixture: ImportFixture, repairs: Bool = false) throws -> CheckReport {
        var options = TreeCheck.Options()
        options.repairs = repairs
        return try TreeCheck(directory: fixture.host.file("root"), options: options).run()
    }

    private func imported() throws -> ImportFixture {
        let fixture = try ImportFixture()
        try fixture.importing(
            fixture.archive(
                """
                add('dev', type=D)
                add('dev/kvm', type=C, mode=0o666, gid=104, devmajor=10, devminor=232)
                add('dev/my disk', type=B, mode=0o660, devmajor=8, devminor=0)
                add('su', mode=0o4777, data=b'program')
                """
            )
        )
        // As an earlier version has made it.
        try fixture.host.setMode("root/dev/kvm", 0o666)
        try fixture.host.setMode("root/su", 0o777)
        return fixture
    }

    @Test("an older tree has no problem, is the import's, and is exported with its devices")
    func olderTree() throws {
        let fixture = try imported()
        let report = try check(fixture)
        #expect(report.findings == [])
        #expect(report.drift?.isEmpty == true)
        #expect(try fixture.status("dev/kvm").mode == 0o020666)
        #expect(try fixture.status("su").mode == 0o104777)
        #expect(try fixture.host.mode("root/dev/kvm") == 0o666)
    }

    @Test("what is not confirmed is told with what the label says and commands to paste; --repair leaves it")
    func notBelieved() throws {
        let fixture = try imported()
        let path = fixture.host.file("root/dev/my disk")
        let label = "user.containers.override_stat"
        try fixture.host.setAttribute("root/dev/my disk", label, "0:0:0660:block-8-16")
        try fixture.host.setMode("root/dev/my disk", 0o666)
        for repairs in [false, true] {
            let report = try check(fixture, repairs: repairs)
            #expect(report.findings.map(\.kind) == [.labelNotBelieved])
            let finding = try #require(report.findings.first)
            #expect(finding.path == "dev/my disk" && !finding.isRepaired)
            #expect(finding.detail.contains("the label says block 8:16,"))
            #expect(finding.detail.contains("chmod o-w '\(path)'"))
            #expect(finding.detail.contains("setfattr -x \(label) '\(path)'"))
            #expect(fixture.host.attribute("root/dev/my disk", label) == "0:0:0660:block-8-16")
        }
        try fixture.shell("chmod o-w \"$1\"", path)
        #expect(try check(fixture).findings == [])
        #expect(try fixture.status("dev/my disk").kind == .block(major: 8, minor: 16))
    }

    @Test(
        "a path as a shell's word comes back as it was",
        arguments: ["a/b.c", "-x", "a b", "it's", "a\u{1b}[31m1", "\\ä\n$(id)`id`", "$'x'", "~", ""]
    )
    func shellWord(_ path: String) throws {
        let word = ShellWord(path.utf8).text
        #expect(word.utf8.allSatisfy { (0x20...0x7e).contains($0) })
        let result = try RunningProgram(["bash", "-c", "printf %s \(word)"]).wait()
        #expect(result.output == (path.hasPrefix("-") ? "./\(path)" : path))
    }
}
