@testable import ServedTree
import Testing

@Suite("File numbers")
struct FileNumberTests {
    private let numbers = FileNumbers(exportDevice: 7)

    @Test("the export's own files have their inode numbers, as far as those fit into 48 bits")
    func own() {
        #expect(numbers.number(device: 7, inode: 1234) == 1234)
        #expect(numbers.number(device: 7, inode: 1 << 48 - 1) == 1 << 48 - 1)
        #expect(numbers.number(device: 7, inode: 1 << 48) >> 63 == 1)
    }

    @Test("other file systems' files never have the number of one of the export's own")
    func foreign() {
        #expect(numbers.number(device: 8, inode: 1234) >> 63 == 1)
        #expect(numbers.number(device: 8, inode: 1234) != numbers.number(device: 9, inode: 1234))
    }

    @Test("numbers are the same in every server, whatever it was asked before")
    func pure() {
        // As they are: what a board has in its cache counts on them after the server's restart, and its update.
        #expect(numbers.number(device: 8, inode: 1234) == 0xd62c_1981_3a5a_723a)
        #expect(numbers.number(device: 7, inode: .max) == 0xb2df_d60a_f560_a63f)
        let other = FileNumbers(exportDevice: 7)
        for inode in stride(from: UInt64.max, to: UInt64.max - 1000, by: -1) {
            _ = other.number(device: 3, inode: inode)
        }
        #expect(other.number(device: 8, inode: 1234) == numbers.number(device: 8, inode: 1234))
    }

    @Test("a hundred thousand large inode numbers of several file systems give as many numbers")
    func many() {
        let files = (0..<100_000 as Range<UInt64>).map { (device: $0 % 3, inode: UInt64.max - $0) }
        #expect(Set(files.map { numbers.number(device: $0.device, inode: $0.inode) }).count == files.count)
        let devices = (8...70_000 as ClosedRange<UInt64>).map { numbers.number(device: $0, inode: 5) }
        #expect(Set(devices).count == devices.count)
    }
}
