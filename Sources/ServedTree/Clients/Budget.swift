internal import Synchronization

/// Something scarce that the clients of a server share: descriptors, bytes of memory.
///
/// Each client has a part that nobody else can take. The rest is common: a client may hold seven times as much of it as it
/// leaves free. Alone it gets seven eighths of the common part, the next client seven eighths of what is left, and so on.
public final class Budget: Sendable {
    /// What each account may always hold, independently of the others.
    public let guaranteed: Int
    /// What all accounts may hold beyond that, together.
    public let common: Int
    private let commonInUse = Atomic<Int>(0)

    private static let greed = 7

    /// A budget of which nothing is used.
    /// - Parameters: both in what the budget counts: descriptors, or bytes.
    public init(guaranteed: Int, common: Int) {
        self.guaranteed = guaranteed
        self.common = common
    }

    /// What one client holds.
    public final class Account: Sendable {
        private let budget: Budget
        private let held = Atomic<Int>(0)

        /// The account of a client that holds nothing yet.
        public init(_ budget: Budget) {
            self.budget = budget
        }

        /// How much of the common part the client holds.
        var commonPart: Int { budget.commonPart(of: held.load(ordering: .relaxed)) }

        /// Whether the client may hold this much more. Threads that ask at the same moment may all be told yes.
        public func mayTake(_ amount: Int) -> Bool {
            let now = held.load(ordering: .relaxed)
            let later = budget.commonPart(of: now + amount)
            guard later > 0 else { return true }
            let inUse = budget.commonInUse.load(ordering: .relaxed) + later - budget.commonPart(of: now)
            return later <= Budget.greed * (budget.common - inUse)
        }

        /// Takes this much, if the client may.
        public func take(_ amount: Int) -> Bool {
            guard mayTake(amount) else { return false }
            add(amount)
            return true
        }

        /// Takes note of what the client holds already.
        public func add(_ amount: Int) {
            let now = held.add(amount, ordering: .relaxed)
            budget.move(from: now.oldValue, to: now.newValue)
        }

        /// Gives back what was taken or added.
        public func give(_ amount: Int) {
            let now = held.subtract(amount, ordering: .relaxed)
            budget.move(from: now.oldValue, to: now.newValue)
        }
    }

    private func commonPart(of amount: Int) -> Int { max(0, amount - guaranteed) }

    private func move(from old: Int, to new: Int) {
        let change = commonPart(of: new) - commonPart(of: old)
        if change != 0 { commonInUse.add(change, ordering: .relaxed) }
    }
}
