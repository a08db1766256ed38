import FakeRoot
import LinuxFiles
import TestSupport
import Testing

/// Attributes that the host's file system has no room for; ext4 has one block for all of a file's.
@Suite struct OversizedAttributeTests {
    private func rows(_ fixture: TreeFixture) throws -> [Int] {
        var sizes: [Int] = []
        try fixture.tree.forEachAttributeRow { row in sizes.append(row.value.count) }
        return sizes.sorted()
    }

    private func value(_ size: Int, _ seed: UInt8 = 1) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: $0) &* 7 &+ seed }
    }

    @Test(arguments: ["user.big", "security.big", "trusted.big"])
    func bigValueIsKeptAndReplacedAndRemoved(_ name: String) throws {
        let fixture = try TreeFixture()
        try fixture.create("a", uid: 5, 0o640)
        let file = try fixture.open("a")
        for size in [65_536, 10, 40_000, 5000, 0] {
            try fixture.tree.setAttribute(name, of: file.raw, to: value(size))
            #expect(try fixture.tree.attribute(name, of: file.raw) == value(size), "\(size)")
            let names = try String(decoding: fixture.tree.attributeNames(of: file.raw), as: UTF8.self)
            #expect(names == "\(name)\0", "\(size)")
        }
        #expect(try rows(fixture) == [])
        try fixture.tree.setAttribute(name, of: file.raw, to: value(65_536))
        try fixture.tree.removeAttribute(Array(name.utf8).span.bytes, of: file.raw)
        #expect(throws: Errno.ENODATA) { try fixture.tree.attribute(name, of: file.raw) }
        #expect(throws: Errno.ENODATA) {
            try fixture.tree.removeAttribute(Array(name.utf8).span.bytes, of: file.raw)
        }
        #expect(try rows(fixture) == [])
        #expect(try fixture.look("a") == "5:0 100640")
    }

    @Test func createAndReplaceAreHeededInBothPlaces() throws {
        let fixture = try TreeFixture()
        try fixture.create("a")
        let file = try fixture.open("a")
        let name = Array("user.x".utf8)
        func set(_ size: Int, _ flags: CInt) throws(Errno) {
            let value = value(size)
            try fixture.tree.setAttribute(name.span.bytes, of: file.raw, to: value.span.bytes, flags: flags)
        }
        #expect(throws: Errno.ENODATA) { try set(60_000, 2) }
        try set(60_000, 1)
        #expect(throws: Errno.EEXIST) { try set(60_001, 1) }
        #expect(throws: Errno.EEXIST) { try set(1, 1) }
        try set(1, 2)
        #expect(try fixture.tree.attribute("user.x", of: file.raw) == value(1))
        try set(60_002, 2)
        #expect(try fixture.tree.attribute("user.x", of: file.raw) == value(60_002))
    }

    @Test func nameTooLongForThePrefixIsKept() throws {
        let fixture = try TreeFixture()
        try fixture.create("a")
        let file = try fixture.open("a")
        let name = "security." + String(repeating: "x", count: 246)
        try fixture.tree.setAttribute(name, of: file.raw, to: [1, 2])
        #expect(try fixture.tree.attribute(name, of: file.raw) == [1, 2])
        #expect(try rows(fixture) == [2])
    }

    @Test func manyValuesBesideALabel() throws {
        let fixture = try TreeFixture()
        try fixture.create("a", 0o644)
        let file = try fixture.open("a")
        for index in 0..<40 {
            try fixture.tree.setAttribute("user.\(index)", of: file.raw, to: value(500, UInt8(index)))
        }
        // No room is left for a label either.
        try fixture.change("a", uid: 77, 0o4755)
        #expect(try fixture.look("a") == "77:0 104755")
        #expect(try fixture.reopened().look("a") == "77:0 104755")
        for index in 0..<40 {
            #expect(try fixture.tree.attribute("user.\(index)", of: file.raw) == value(500, UInt8(index)))
        }
        for index in 0..<40 { try fixture.tree.removeAttribute(Array("user.\(index)".utf8).span.bytes, of: file.raw) }
        try fixture.change("a", uid: 78)
        #expect(try fixture.look("a") == "78:0 104755")
        #expect(try rows(fixture) == [])
        try fixture.unlink("a")
        var labels = 0
        try fixture.tree.forEachLabelRow { (_, _) in labels += 1 }
        #expect(labels == 0)
    }

    @Test func removedFileTakesItsRowsAway() throws {
        let fixture = try TreeFixture()
        try fixture.create("a")
        try fixture.with("a") { (file) throws(Errno) in
            try fixture.tree.setAttribute("user.x", of: file, to: value(60_000))
        }
        #expect(try rows(fixture) == [60_000])
        try fixture.unlink("a")
        #expect(try rows(fixture) == [])
    }
}
