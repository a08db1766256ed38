import FakeRoot
import LinuxFiles
import Synchronization
import TestSupport
import Testing

/// A developer's chmod beside a label; and that nothing else is taken for one.
@Suite struct AdoptionTests {
    @Test(
        arguments: [
            // label, the developer's chmod, what the board sees
            (0o644, 0o755, 0o755), (0o755, 0o644, 0o644), (0o4755, 0o700, 0o4700), (0o2755, 0o775, 0o2775),
            (0o440, 0o644, 0o644), (0o440, 0o640, 0o440), (0o4711, 0o711, 0o4711), (0o600, 0o400, 0o400),
            (0o644, 0o4755, 0o4755), (0o644, 0o000, 0o000), (0o4755, 0o000, 0o4000), (0o644, 0o200, 0o200),
            (0o755, 0o111, 0o111),
        ] as [(UInt32, UInt32, UInt32)]
    )
    func developersChmodCounts(_ mode: UInt32, _ chmod: UInt32, _ expected: UInt32) throws {
        let fixture = try TreeFixture()
        try fixture.create("a", uid: 1000, gid: 50, mode)
        #expect(try fixture.status("a").permissions == mode)
        try fixture.host.setMode("a", chmod)
        #expect(try fixture.status("a").permissions == expected)
        #expect(try fixture.status("a").permissions == expected)
        // The next change keeps it for good.
        try fixture.change("a", uid: 1001)
        let octal = String(expected, radix: 8)
        #expect(try fixture.label("a") == "1001:50:0\(octal):file")
        #expect(try fixture.look("a") == "1001:50 10\(String(repeating: "0", count: 4 - octal.count))\(octal)")
        #expect(try fixture.hostStatus("a").mode & 0o7777 == expected & 0o777 | 0o600)
    }

    @Test(arguments: [0o755, 0o700, 0o500, 0o000] as [UInt32])
    func directoriesAndSpecialsToo(_ chmod: UInt32) throws {
        let fixture = try TreeFixture()
        try fixture.createDirectory("d", uid: 5, 0o1770)
        try fixture.createSpecial("s", .character(major: 4, minor: 64), 0o660)
        try fixture.host.setMode("d", chmod)
        try fixture.host.setMode("s", chmod)
        // The host mirrors a directory's sticky bit: this chmod took it away.
        #expect(try fixture.status("d").permissions == chmod)
        #expect(try fixture.status("s").permissions == chmod)
        #expect(try fixture.status("s").kind == .character(major: 4, minor: 64))
        try fixture.change("d", uid: 6)
        try fixture.change("s", uid: 6)
        #expect(try fixture.label("d") == "6:0:0\(String(chmod, radix: 8)):dir")
        #expect(try fixture.label("s") == "6:0:0\(String(chmod, radix: 8)):char-4-64")
    }

    /// What stands there when a server is killed between the steps of a change.
    @Test(arguments: [0o644, 0o755] as [UInt32])
    func transitionalLabelShowsTheNewStateInFull(_ host: UInt32) throws {
        let fixture = try TreeFixture()
        try fixture.host.write("a", "x", mode: host)
        try fixture.setHostAttribute("user.containers.override_stat", "a", "7:8:04755:file:0644")
        #expect(try fixture.look("a") == "7:8 104755")
        // And a chmod after that is a developer's again.
        try fixture.host.setMode("a", 0o700)
        #expect(try fixture.look("a") == "7:8 104700")
    }

    @Test(arguments: ["7:8:0600", "7:8:0100600:file", "7:8:600:file"])
    func hostsModeBesideAForeignLabelMeansNothing(_ label: String) throws {
        let fixture = try TreeFixture()
        try fixture.host.write("a", "x", mode: 0o755)
        try fixture.setHostAttribute("user.containers.override_stat", "a", label)
        #expect(try fixture.look("a") == "7:8 100600")
        try fixture.change("a", uid: 9)
        #expect(try fixture.label("a") == "9:8:0600:file")
        #expect(try fixture.hostStatus("a").mode == 0o100600)
    }

    /// A setgid directory of the host gives its bit to what is made in it; a default ACL changes the mode.
    @Test func inheritedSetgidBitIsNoChmod() throws {
        let fixture = try TreeFixture()
        try fixture.host.makeDirectory("d", mode: 0o755)
        try fixture.host.setMode("d", 0o2755)
        let directory = try fixture.open("d")
        let owner = Owner(uid: 5, gid: 6)
        try fixture.tree.createDirectory(FileName("e"), in: directory.raw, owner: owner, permissions: 0o755)
        let made = try fixture.tree.lookup(FileName("e"), in: directory.raw)
        #expect(try fixture.tree.status(of: made.raw).permissions == 0o755)
    }

    /// Owner and mode change together: no reader sees one without the other.
    @Test func readersSeePairs() throws {
        let fixture = try TreeFixture()
        try fixture.create("a", uid: 1, 0o4711)
        let states: [(UInt32?, UInt32)] = [(1, 0o4711), (2, 0o640), (0, 0o444), (0, 0o644), (3, 0o000)]
        let pairs = Set(states.map { "\($0.0 ?? 0) \($0.1)" })
        let tree = fixture.tree
        let file = try fixture.open("a")
        let raw = file.raw
        let isDone = Atomic(false)
        let wrong = Mutex<Set<String>>([])
        let running = Atomic(2)
        for _ in 0..<2 {
            try startThread {
                while !isDone.load(ordering: .relaxed) {
                    guard let status = try? tree.status(of: raw) else { continue }
                    let pair = "\(status.uid) \(status.permissions)"
                    if !pairs.contains(pair) { _ = wrong.withLock { $0.insert(pair) } }
                }
                running.wrappingSubtract(1, ordering: .releasing)
            }
        }
        for round in 0..<4000 {
            let state = states[round % states.count]
            try tree.change(raw, OwnerAndMode(uid: state.0, gid: nil, permissions: state.1))
        }
        isDone.store(true, ordering: .relaxed)
        while running.load(ordering: .acquiring) > 0 { _ = try run("true") }
        extendLifetime(file)
        #expect(wrong.withLock { $0 } == [])
    }

    @Test func changesOfTheHostAreSeenAtOnce() throws {
        let fixture = try TreeFixture()
        try fixture.create("a", uid: 7, 0o640)
        _ = try run("sleep", "0.3")
        for _ in 0..<3 { #expect(try fixture.look("a") == "7:0 100640") }
        try fixture.setHostAttribute("user.containers.override_stat", "a", "8:0:0640:file")
        #expect(try fixture.look("a") == "8:0 100640")
        _ = try run("sleep", "0.3")
        for _ in 0..<3 { #expect(try fixture.look("a") == "8:0 100640") }
        try run("setfattr", "-x", "user.containers.override_stat", fixture.host.file("a"))
        #expect(try fixture.look("a") == "0:0 100640")
        try fixture.host.write("b", "other", mode: 0o600)
        try fixture.host.rename("b", to: "a")
        #expect(try fixture.look("a") == "0:0 100600")
    }

    @Test func writingTakesPrivilegesAwayAndAChmodMeanwhileStays() throws {
        let fixture = try TreeFixture()
        try fixture.create("a", uid: 5, gid: 6, 0o6755)
        let file = try fixture.open("a")
        try fixture.tree.setAttribute("security.capability", of: file.raw, to: [1, 2, 3])
        try fixture.tree.dropPrivileges(of: file.raw)
        #expect(try fixture.look("a") == "5:6 100755")
        #expect(throws: Errno.ENODATA) { try fixture.tree.attribute("security.capability", of: file.raw) }
        try fixture.change("a", 0o2644)
        try fixture.tree.dropPrivileges(of: file.raw)
        // setgid without the group's x gives no privilege.
        #expect(try fixture.look("a") == "5:6 102644")
        // The developer has made it read-only.
        try fixture.tree.setAttribute("security.capability", of: file.raw, to: [1, 2, 3])
        try fixture.host.setMode("a", 0o444)
        try fixture.tree.dropPrivileges(of: file.raw)
        #expect(throws: Errno.ENODATA) { try fixture.tree.attribute("security.capability", of: file.raw) }
        #expect(try fixture.look("a") == "5:6 102444")
    }
}
