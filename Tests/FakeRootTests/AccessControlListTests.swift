import FakeRoot
import TestSupport
import Testing

@Suite("Access control lists")
struct AccessControlListTests {
    // What setfacl -m u:1000:rw,g:27:r stored on ext4 for a file of mode 0640.
    private static let stored = hex(
        """
        02000000 01000600 ffffffff 02000600 e8030000 04000400 ffffffff 08000400 1b000000 10000600 ffffffff
        20000000 ffffffff
        """
    )

    @Test("Linux' form and back")
    func roundTrip() throws {
        let list = try #require(AccessControlList(attribute: Self.stored))
        #expect(list.entries.map(\.tag) == [.owner, .user, .owningGroup, .group, .mask, .other])
        #expect(list.entries[1] == AccessControlList.Entry(.user, permissions: 6, id: 1000))
        #expect(list.attribute == Self.stored)
        #expect(list.modeBits == 0o660)
        #expect(!list.isTrivial)
        #expect(AccessControlList(list.entries.reversed()) == list)
    }

    @Test("what Linux refuses")
    func refused() {
        typealias Entry = AccessControlList.Entry
        let base = [Entry(.owner, permissions: 6), Entry(.owningGroup, permissions: 4), Entry(.other, permissions: 0)]
        #expect(AccessControlList(base)?.isTrivial == true)
        #expect(AccessControlList([Entry](base.dropFirst())) == nil)
        #expect(AccessControlList(base + [Entry(.user, permissions: 7, id: 1)]) == nil, "no mask")
        let mask = Entry(.mask, permissions: 7)
        #expect(AccessControlList(base + [mask, mask]) == nil)
        #expect(AccessControlList(base + [mask, Entry(.user, permissions: 7, id: UInt32.max)]) == nil)
        let user = Entry(.user, permissions: 7, id: 1)
        #expect(AccessControlList(base + [mask, user, user]) == nil)
        for length in [0, 3, 5, Self.stored.count - 1] {
            #expect(AccessControlList(attribute: [UInt8](Self.stored.prefix(length))) == nil)
        }
        var wrong = Self.stored
        wrong[0] = 3
        #expect(AccessControlList(attribute: wrong) == nil, "version 3")
        wrong = Self.stored
        wrong[6] = 8
        #expect(AccessControlList(attribute: wrong) == nil, "permission 8")
    }
}
