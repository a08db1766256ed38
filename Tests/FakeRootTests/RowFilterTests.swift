@testable import FakeRoot
import LinuxFiles
import TestSupport
import Testing

/// What is kept in memory of the database's rows.
@Suite struct RowFilterTests {
    @Test func rowWrittenWhileTheRowsAreReadIsKnownAfterwards() throws {
        let filters = RowFilters()
        filters.insert { $0.nodes.insert(1) }
        try filters.replace { () throws(MetadataError) in
            // Another thread's, which the reading didn't show; and a path of the manifest.
            filters.insert { $0.symlinks.insert(2) }
            filters.insert { $0.expect(Array("bin/su".utf8)) }
            var sets = RowFilters.Sets()
            sets.attributes.insert(3)
            return sets
        }
        #expect(filters.contains(2, in: \.symlinks))
        #expect(filters.contains(RowFilters.fingerprint("su".utf8), in: \.expected))
        #expect(filters.contains(3, in: \.attributes))
        #expect(!filters.contains(1, in: \.nodes))
        #expect(filters.content == [.symlinks, .attributes])
    }

    @Test func readingThatFailsChangesNothing() throws {
        let filters = RowFilters()
        filters.insert { $0.nodes.insert(1) }
        #expect(throws: MetadataError.self) {
            try filters.replace { () throws(MetadataError) in
                filters.insert { $0.nodes.insert(2) }
                throw MetadataError(.corrupt, "broken", errno: .EIO)
            }
        }
        #expect(filters.contains(1, in: \.nodes) && filters.contains(2, in: \.nodes))
        try filters.replace { () throws(MetadataError) in RowFilters.Sets() }
        #expect(filters.count == 0)
    }

    @Test func memoryOfRemovedRowsIsGivenBack() throws {
        let fixture = try TreeFixture()
        let filters = fixture.tree.metadata.filters
        for index in 0..<50 { try fixture.createSymlink("kept-\(index)", to: "x", uid: 7) }
        for _ in 0..<RowFilters.minimumRemovals + 100 {
            try fixture.createSymlink("passing", to: "x", uid: 5)
            try fixture.tree.unlink(FileName("passing"), in: fixture.root, isDirectory: false)
        }
        // Rows are read anew on a thread of its own.
        waitUntil { filters.count < 200 }
        #expect(filters.count < 200)
        for index in 0..<50 { #expect(try fixture.look("kept-\(index)") == "7:0 120777") }
    }
}
