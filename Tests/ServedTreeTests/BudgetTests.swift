@testable import ServedTree
import Testing

@Suite("What clients share")
struct BudgetTests {
    private func takeAll(_ account: Budget.Account) -> Int {
        var taken = 0
        while account.take(1) { taken += 1 }
        return taken
    }

    @Test("whoever comes first leaves an eighth, and nobody gets less than the guaranteed part")
    func eighths() {
        let budget = Budget(guaranteed: 4, common: 64)
        let accounts = (0..<10).map { _ in Budget.Account(budget) }
        let taken = accounts.map(takeAll)
        #expect(taken[0] == 4 + 56)
        #expect(taken[1] == 4 + 7)
        #expect(taken.allSatisfy { $0 >= 4 })
        #expect(taken.reduce(0, +) <= 10 * 4 + 64)
    }

    @Test("what is given back is there for others, however large the pieces")
    func givenBack() {
        let budget = Budget(guaranteed: 100, common: 800)
        let (one, other) = (Budget.Account(budget), Budget.Account(budget))
        #expect(one.take(790))
        #expect(!one.mayTake(100))
        #expect(!other.take(300))
        one.give(790)
        #expect(one.commonPart == 0)
        #expect(other.take(790))
        #expect(!one.take(200))
        #expect(one.take(100))
        other.give(700)
        #expect(one.take(500))
    }

    @Test("a client that holds more than it may, as the rest became scarce, gets its guaranteed part back first")
    func overShare() {
        let budget = Budget(guaranteed: 10, common: 80)
        let (one, other) = (Budget.Account(budget), Budget.Account(budget))
        // Descriptors that a request has opened count although nobody asked.
        one.add(200)
        #expect(!one.mayTake(1))
        #expect(!other.mayTake(11))
        #expect(other.take(10))
        one.give(195)
        #expect(one.take(5))
        #expect(other.take(60))
    }
}
