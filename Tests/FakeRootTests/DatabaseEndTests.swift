@testable import FakeRoot
import LinuxFiles
import Synchronization
import TestSupport
import Testing

/// What goes away with a database must not meet a lock that is held meanwhile.
@Suite struct DatabaseEndTests {
    /// Says when it goes away whether another thread gets at a tree's database meanwhile.
    private final class Probe: Sendable {
        private let metadata: MetadataStore
        private let answer: Monitor<Bool?>

        init(_ metadata: MetadataStore, _ answer: Monitor<Bool?>) {
            self.metadata = metadata
            self.answer = answer
        }

        deinit {
            let metadata = metadata
            let isReached = Monitor(false)
            try? startThread {
                _ = metadata.database
                isReached.update { $0 = true }
            }
            let isFree = isReached.wait(seconds: 10) { $0 ? true : nil } ?? false
            answer.update { $0 = isFree }
        }
    }

    /// Closing may take long: SQLite writes the rest of its log to the disk.
    @Test func databaseWasClosedUnderTheLockThatEveryRequestTakes() throws {
        let fixture = try TreeFixture()
        try fixture.createSymlink("l", to: "x", uid: 5)
        let answer = Monitor<Bool?>(nil)
        do {
            let metadata = fixture.tree.metadata
            let probe = Probe(metadata, answer)
            metadata.database?.setOnOthersChange { withExtendedLifetime(probe) {} }
        }
        try fixture.tree.metadata.followRename()
        #expect(answer.updateQuietly { $0 } == true)
        #expect(try fixture.look("l") == "5:0 120777")
    }
}
