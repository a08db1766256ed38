@testable import P9Server
import ServedTree
import P9Wire
import TestSupport
import Testing

@Suite("The table of locks")
struct LockTableTests {
    private let table = LockTable()
    private let memory = Budget(guaranteed: 1 << 20, common: 1 << 30)
    private let file = LockTable.File(device: 1, inode: 1)

    private func holder(_ session: UInt64) -> LockTable.Holder {
        LockTable.Holder(session: session, Budget.Account(memory))
    }

    private func lock(_ holder: LockTable.Holder, at start: UInt64, isWrite: Bool = false) -> LockTable.Lock {
        LockTable.Lock(
            owner: LockTable.Owner(session: holder.session, processID: 1, clientID: []),
            fid: Fid(rawValue: UInt32(truncatingIfNeeded: start)),
            isWrite: isWrite,
            range: LockTable.Range(start: 2 * start, length: 1)
        )
    }

    @Test(
        "one file's locks fill up; other sessions still get some there, and all they want elsewhere",
        .disabled(if: isQuick, "it takes seconds")
    )
    func fullFile() {
        let (hog, other) = (holder(1), holder(2))
        for start in 0..<4096 as Range<UInt64> {
            #expect(table.acquire(lock(hog, at: start), on: file, for: hog) == .success)
        }
        #expect(table.acquire(lock(hog, at: 5000), on: file, for: hog) == .error)
        for start in 0..<16 as Range<UInt64> {
            #expect(table.acquire(lock(other, at: start), on: file, for: other) == .success)
        }
        #expect(table.acquire(lock(other, at: 16), on: file, for: other) == .error)
        let elsewhere = LockTable.File(device: 1, inode: 2)
        #expect(table.acquire(lock(other, at: 0, isWrite: true), on: elsewhere, for: other) == .success)
        // Their holder gives them back, one by one or all at once.
        table.releaseAll(of: Fid(rawValue: 3), on: file, for: hog)
        #expect(table.acquire(lock(hog, at: 6000), on: file, for: hog) == .error)
        table.releaseAll(of: other)
        #expect(other.isEmpty)
        #expect(table.acquire(lock(hog, at: 6000), on: file, for: hog) == .success)
        table.releaseAll(of: hog)
        #expect(hog.isEmpty)
        #expect(table.obstacle(to: lock(other, at: 0, isWrite: true), on: file) == nil)
    }

    @Test("locks are paid for, and given back with all that was split")
    func memoryIsGivenBack() {
        let small = Budget(guaranteed: 1024, common: 0)
        let one = LockTable.Holder(session: 1, Budget.Account(small))
        let whole = LockTable.Range(start: 0, length: 0)
        var all = lock(one, at: 0)
        all.range = whole
        #expect(table.acquire(all, on: file, for: one) == .success)
        #expect(table.release(LockTable.Range(start: 10, length: 1), of: all.owner, on: file, for: one) == .success)
        #expect(table.release(LockTable.Range(start: 20, length: 1), of: all.owner, on: file, for: one) == .success)
        #expect(table.release(LockTable.Range(start: 30, length: 1), of: all.owner, on: file, for: one) == .success)
        // A fifth piece would cost more than the session may have.
        #expect(table.release(LockTable.Range(start: 40, length: 1), of: all.owner, on: file, for: one) == .error)
        #expect(table.release(whole, of: all.owner, on: file, for: one) == .success)
        #expect(one.isEmpty)
        #expect(table.acquire(all, on: file, for: one) == .success)
    }
}
