/// Finds the one gadget that a selector means, and waits for it if it is not there yet.
public struct GadgetSearch {
    public var selector: GadgetSelector

    public init(_ selector: GadgetSelector) {
        self.selector = selector
    }

    /// What a look at the ports found.
    public enum Result: Sendable {
        case found(Gadget)
        case none
        /// More than one matches; the caller must ask for a narrower selector.
        case several([Gadget])
        /// `StopRequest.request` was called while waiting.
        case stopped
    }

    /// Looks once.
    public func look() throws(USBError) -> Result {
        result(of: try USBContext().gadgets())
    }

    /// Looks until a gadget matches, the time is over (`.none`) or somebody wants to stop (`.stopped`).
    /// - Parameter deadline: nil waits for ever.
    public func wait(until deadline: ContinuousClock.Instant?, stop: StopRequest) throws(USBError) -> Result {
        let found = try PortWatch.wait(until: deadline, stop: stop) { (context) throws(USBError) -> Result? in
            let result = result(of: try context.gadgets())
            if case .none = result { return nil }
            return result
        }
        return found ?? (stop.isRequested ? .stopped : .none)
    }

    private func result(of gadgets: [Gadget]) -> Result {
        let matching = gadgets.filter(selector.matches)
        return switch matching.count {
        case 0: .none
        case 1: .found(matching[0])
        default: .several(matching)
        }
    }
}
