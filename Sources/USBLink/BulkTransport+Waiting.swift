internal import USBHost

extension BulkTransport {
    /// Waits for something to happen; for a moment only where the caller must look at the clock.
    func waitForEvents(briefly: Bool) {
        handleEvents(milliseconds: briefly ? 50 : 60_000)
    }

    /// Lets time pass; less of it if the device goes or somebody wants to stop.
    func pause(_ span: Duration, until stop: StopRequest) {
        var patience = Patience(span)
        while !patience.isOver(at: now), !isGone, !stop.isRequested { handleEvents(milliseconds: 50) }
    }

    /// What a failed transfer means for the link. A pulled cable often shows as an I/O error first.
    func end(after outcome: TransferOutcome, midRequest: Bool) -> LinkEnd {
        var patience = Patience(.seconds(1))
        repeat {
            if outcome == .gone || isGone { return .gone(midRequest: midRequest) }
            handleEvents(milliseconds: 50)
        } while !patience.isOver(at: now)
        // No clear-halt: the gadget never halts its endpoints, so a stall says that it has shut them down.
        return .failed(.inputOutput)
    }

    /// Waits until a cancelled transfer has ended, so that its buffer is the caller's again.
    func retire(_ transfer: Transfer) {
        transfer.cancel()
        while transfer.isInFlight { handleEvents(milliseconds: 1000) }
    }
}

extension LinkEnd {
    /// What an error of submitting means for the link.
    init(submitting error: USBError, midRequest: Bool) {
        self = error == .noDevice ? .gone(midRequest: midRequest) : .failed(error)
    }
}

/// Thrown to end a link.
struct LinkEnded: Error {
    let end: LinkEnd

    init(_ end: LinkEnd) {
        self.end = end
    }
}
