@testable import P9Server
import TestSupport
import Testing

@Suite("Qid paths of files on other file systems")
struct QidTests {
    @Test("small inode numbers stay readable; file systems are told apart")
    func small() {
        var qids = ForeignQids()
        let first = qids.path(device: 7, inode: 1234)
        let second = qids.path(device: 8, inode: 1234)
        #expect(first & 0xffff_ffff_ffff == 1234 && second & 0xffff_ffff_ffff == 1234)
        #expect(first != second && first >> 48 != 0 && second >> 48 != 0)
        #expect(qids.path(device: 7, inode: 1234) == first)
    }

    @Test("large inode numbers get small serials, and memory for them is bounded; every file keeps its path")
    func large() {
        var qids = ForeignQids(maximumSerials: 100)
        let files = (0..<10_000 as Range<UInt64>).map { (device: $0 % 3, inode: UInt64.max - $0) }
        let paths = files.map { qids.path(device: $0.device, inode: $0.inode) }
        #expect(Set(paths).count == files.count)
        #expect(files.map { qids.path(device: $0.device, inode: $0.inode) } == paths)
        #expect(Set(paths[..<100].map { $0 & 0xffff_ffff }) == Set(0..<100))
        #expect(paths[100...].allSatisfy { $0 >> 63 == 1 })
    }

    @Test("more file systems than there are prefixes still give different files different paths")
    func manyDevices() {
        var qids = ForeignQids()
        let paths = (1...70_000 as ClosedRange<UInt64>).map { qids.path(device: $0, inode: 5) }
        #expect(Set(paths).count == paths.count)
        #expect(qids.path(device: 1, inode: 5) == paths[0] && qids.path(device: 70_000, inode: 5) == paths.last)
    }
}
