import FakeRoot
import LinuxFiles
import TestSupport
import Testing

/// POSIX ACLs, which say in part the same as the mode. The expected values are what ext4 gives for the same calls.
@Suite struct AccessListTests {
    private static let none: UInt32 = .max

    private func list(_ entries: [(tag: UInt8, permissions: UInt8, id: UInt32)]) -> [UInt8] {
        entries.reduce(into: [2, 0, 0, 0] as [UInt8]) { bytes, entry in
            bytes += [entry.tag, 0, entry.permissions, 0]
            for shift in stride(from: UInt32(0), to: 32, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: entry.id >> shift))
            }
        }
    }

    private func full(_ owner: UInt8, _ user: UInt8, _ group: UInt8, _ mask: UInt8, _ other: UInt8) -> [UInt8] {
        list([
            (1, owner, Self.none), (2, user, 1000), (4, group, Self.none), (16, mask, Self.none),
            (32, other, Self.none),
        ])
    }

    private let access = "system.posix_acl_access"

    @Test func settingOneSetsTheModeAndChmodTheMask() throws {
        let fixture = try TreeFixture()
        try fixture.create("a", uid: 5, 0o4644)
        let file = try fixture.open("a")
        try fixture.tree.setAttribute(access, of: file.raw, to: full(6, 7, 4, 7, 0))
        #expect(try fixture.look("a") == "5:0 104670")
        #expect(try fixture.tree.attribute(access, of: file.raw) == full(6, 7, 4, 7, 0))
        try fixture.change("a", 0o751)
        #expect(try fixture.tree.attribute(access, of: file.raw) == full(7, 7, 4, 5, 1))
        #expect(try fixture.look("a") == "5:0 100751")
        #expect(try fixture.reopened().tree.attribute(access, of: file.raw) == full(7, 7, 4, 5, 1))
    }

    @Test func trivialOneIsJustAMode() throws {
        let fixture = try TreeFixture()
        try fixture.create("a", 0o644)
        let file = try fixture.open("a")
        try fixture.tree.setAttribute(access, of: file.raw, to: full(6, 7, 4, 7, 0))
        let trivial = list([(1, 7, Self.none), (4, 5, Self.none), (32, 1, Self.none)])
        try fixture.tree.setAttribute(access, of: file.raw, to: trivial)
        #expect(try fixture.status("a").permissions == 0o751)
        #expect(throws: Errno.ENODATA) { try fixture.tree.attribute(access, of: file.raw) }
    }

    @Test(arguments: [[], [2, 0, 0, 0]] as [[UInt8]])
    func emptyOneIsRemoved(_ empty: [UInt8]) throws {
        let fixture = try TreeFixture()
        try fixture.create("a", 0o644)
        let file = try fixture.open("a")
        try fixture.tree.setAttribute(access, of: file.raw, to: empty)
        try fixture.tree.setAttribute(access, of: file.raw, to: full(6, 7, 4, 6, 4))
        try fixture.tree.setAttribute(access, of: file.raw, to: empty)
        #expect(throws: Errno.ENODATA) { try fixture.tree.attribute(access, of: file.raw) }
        #expect(try fixture.status("a").permissions == 0o664)
    }

    @Test func invalidOnesAreRefused() throws {
        let fixture = try TreeFixture()
        try fixture.create("a", 0o644)
        let file = try fixture.open("a")
        let bad: [[UInt8]] = [
            [1, 0, 0, 0], [2, 0, 0], [2, 0, 0, 0, 1], full(8, 0, 0, 0, 0), list([(1, 6, Self.none)]),
            list([(1, 6, Self.none), (2, 6, 5), (4, 4, Self.none), (32, 4, Self.none)]),
            list([(1, 6, Self.none), (1, 6, Self.none), (4, 4, Self.none), (32, 4, Self.none)]),
            list([(1, 6, Self.none), (4, 4, Self.none), (3, 4, Self.none), (32, 4, Self.none)]),
            [UInt8](repeating: 255, count: 4 + 8 * 100),
        ]
        for value in bad {
            #expect(throws: Errno.EINVAL, "\(value)") { try fixture.tree.setAttribute(access, of: file.raw, to: value) }
        }
        #expect(try fixture.label("a") == nil)
    }

    @Test func defaultOneIsForDirectories() throws {
        let fixture = try TreeFixture()
        try fixture.create("a")
        try fixture.createDirectory("d", 0o750)
        let file = try fixture.open("a")
        let directory = try fixture.open("d")
        let name = "system.posix_acl_default"
        #expect(throws: Errno.EACCES) { try fixture.tree.setAttribute(name, of: file.raw, to: full(7, 7, 5, 7, 0)) }
        try fixture.tree.setAttribute(name, of: directory.raw, to: full(7, 7, 5, 7, 0))
        #expect(try fixture.tree.attribute(name, of: directory.raw) == full(7, 7, 5, 7, 0))
        #expect(try fixture.look("d") == "0:0 40750")
        #expect(try fixture.label("d") == nil)
    }
}
