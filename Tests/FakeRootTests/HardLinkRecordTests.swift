import LinuxFiles
import TestSupport
import Testing

@testable import FakeRoot

/// The import's records of files with several names: where a rename or removal leaves them.
@Suite struct HardLinkRecordTests {
    /// `su` of group 42 and setuid, and its second name `doas`, as an import leaves them.
    private static func imported() throws -> TreeFixture {
        let fixture = try TreeFixture()
        try fixture.createDirectory("bin")
        try fixture.make("bin/su", "the program su", gid: 42, 0o4755)
        try fixture.make("bin/other", "another program", gid: 7, 0o2755)
        try fixture.link("bin/su", "bin/doas")
        let writer = try fixture.tree.makeManifestWriter()
        for path in ["", "bin", "bin/su", "bin/doas", "bin/other"] {
            let file = try fixture.open(path: path)
            try writer.append(fixture.entry(path, file.raw), of: file.raw)
        }
        try writer.commit()
        return fixture
    }

    /// Whether a file gets owner and setuid bit back after a tool on the host has replaced it, also after a restart.
    private static func comesBack(_ fixture: TreeFixture, _ path: String) throws -> Bool {
        try fixture.replace(path, "the program su", 0o755)
        return try fixture.reopened().look(path) == "0:42 104755"
    }

    @Test(arguments: [("bin/su", "bin/doas"), ("bin/doas", "bin/su"), ("bin/su", "bin/su")])
    func renameToAnotherNameOfTheFileMovesNoRecord(_ old: String, _ new: String) throws {
        let fixture = try Self.imported()
        try fixture.move(old, new)
        #expect(try fixture.recordedPaths() == ["", "bin", "bin/doas", "bin/other", "bin/su"])
        #expect(try Self.comesBack(fixture, "bin/su"))
        #expect(try Self.comesBack(fixture, "bin/doas"))
    }

    /// As some programs save a file: a second name, the first one removed, the second one put in its place.
    @Test func recordFollowsALinkThatTheBoardMade() throws {
        let fixture = try Self.imported()
        try fixture.unlink(path: "bin/doas")
        try fixture.link("bin/su", "bin/su~")
        try fixture.unlink(path: "bin/su")
        #expect(try fixture.recordedPaths() == ["", "bin", "bin/other", "bin/su~"])
        try fixture.move("bin/su~", "bin/su")
        #expect(try fixture.recordedPaths() == ["", "bin", "bin/other", "bin/su"])
        #expect(try Self.comesBack(fixture, "bin/su"))
    }

    @Test func linkKeepsItsOwnRecordAtEachName() throws {
        let fixture = try Self.imported()
        try fixture.unlink(path: "bin/doas")
        try fixture.createDirectory("sbin")
        try fixture.link("bin/su", "sbin/su.real")
        try fixture.change("sbin/su.real", gid: 43)
        try fixture.unlink(path: "bin/su")
        try fixture.replace("sbin/su.real", "the program su", 0o755)
        #expect(try fixture.look("sbin/su.real") == "0:43 104755")
    }

    /// The second name is the host's, so no record leads to it.
    @Test(arguments: ["unlink", "replace"]) func recordOutlastsTheRemovalOfItsOnlyName(_ how: String) throws {
        let fixture = try Self.imported()
        try fixture.unlink(path: "bin/doas")
        try run("ln", fixture.host.file("bin/su"), fixture.host.file("bin/su~"))
        if how == "unlink" { try fixture.unlink(path: "bin/su") } else { try fixture.move("bin/other", "bin/su") }
        try fixture.move("bin/su~", "bin/su")
        #expect(try Self.comesBack(fixture, "bin/su"))
    }

    /// Each later rename would look for the record of a file that is gone.
    @Test(arguments: ["unlink", "replace"]) func recordGoesWithTheLastName(_ how: String) throws {
        let fixture = try Self.imported()
        try fixture.unlink(path: "bin/doas")
        try run("ln", fixture.host.file("bin/su"), fixture.host.file("bin/su~"))
        try fixture.unlink(path: "bin/su")
        #expect(fixture.tree.hasNamelessRecords)
        if how == "unlink" { try fixture.unlink(path: "bin/su~") } else { try fixture.move("bin/other", "bin/su~") }
        #expect(!fixture.tree.hasNamelessRecords)
    }

    /// The host has removed the recorded name, so its row is still there.
    @Test func contentStaysKnownWhereTheHostHasRemovedTheName() throws {
        let fixture = try Self.imported()
        try run("ln", fixture.host.file("bin/su"), fixture.host.file("bin/su~"))
        try run("rm", fixture.host.file("bin/su"), fixture.host.file("bin/doas"))
        try fixture.move("bin/su~", "bin/su")
        #expect(try Self.comesBack(fixture, "bin/su"))
    }

    @Test func renameOverAFileWithTwoNamesLeavesTheOtherNamesRecord() throws {
        let fixture = try Self.imported()
        try fixture.move("bin/other", "bin/su")
        #expect(try fixture.recordedPaths() == ["", "bin", "bin/doas", "bin/su"])
        #expect(try Self.comesBack(fixture, "bin/doas"))
        try fixture.replace("bin/su", "another program", 0o755)
        #expect(try fixture.reopened().look("bin/su") == "0:7 102755")
    }

    @Test func namesThatAreExchangedExchangeTheirRecords() throws {
        let fixture = try Self.imported()
        try fixture.move("bin/su", "bin/temporary")
        try fixture.move("bin/other", "bin/su")
        try fixture.move("bin/temporary", "bin/other")
        try fixture.replace("bin/su", "another program", 0o755)
        #expect(try fixture.look("bin/su") == "0:7 102755")
        #expect(try Self.comesBack(fixture, "bin/other"))
    }

    @Test func directoryTakesAllRecordsAlong() throws {
        let fixture = try Self.imported()
        try fixture.move("bin", "bin")
        #expect(try fixture.recordedPaths() == ["", "bin", "bin/doas", "bin/other", "bin/su"])
        try fixture.createDirectory("usr")
        try fixture.createDirectory("usr/bin")
        try fixture.move("bin", "usr/bin")
        #expect(try fixture.recordedPaths() == ["", "usr/bin", "usr/bin/doas", "usr/bin/other", "usr/bin/su"])
        // One more name of a file in it, from elsewhere.
        try fixture.link("usr/bin/su", "su")
        try fixture.move("su", "usr/bin/doas")
        #expect(try Self.comesBack(fixture, "su"))
        #expect(try Self.comesBack(fixture, "usr/bin/doas"))
    }

    /// A file that a board links gets no record if the import knows nothing special about it.
    @Test func linkOfAPlainFileIsNotRecorded() throws {
        let fixture = try Self.imported()
        try fixture.make("bin/plain", "x", 0o644)
        try fixture.link("bin/plain", "bin/plain~")
        #expect(try fixture.recordedPaths() == ["", "bin", "bin/doas", "bin/other", "bin/su"])
    }
}

extension TreeFixture {
    /// A name that may be free, and its directory.
    private struct Entry: ~Copyable {
        let directory: OwnedDescriptor
        let name: FileName
    }

    private func place(_ path: String) throws(Errno) -> Entry {
        let parts = path.split(separator: "/").map(String.init)
        let directory = try open(path: parts.dropLast().joined(separator: "/"))
        return Entry(directory: directory, name: try FileName(parts[parts.count - 1]))
    }

    fileprivate func link(_ path: String, _ newPath: String) throws(Errno) {
        let file = try open(path: path)
        let new = try place(newPath)
        try tree.link(file.raw, as: new.name, in: new.directory.raw)
    }

    fileprivate func move(_ path: String, _ newPath: String) throws(Errno) {
        let old = try place(path)
        let new = try place(newPath)
        try tree.rename(old.name, in: old.directory.raw, to: new.name, in: new.directory.raw)
    }

    fileprivate func unlink(path: String) throws(Errno) {
        let old = try place(path)
        try tree.unlink(old.name, in: old.directory.raw, isDirectory: false)
    }

    fileprivate func recordedPaths() throws -> [String] {
        var paths: [String] = []
        try tree.forEachManifestEntry { (entry, _) throws(Errno) in
            paths.append(String(decoding: entry.path, as: UTF8.self))
        }
        return paths
    }
}
