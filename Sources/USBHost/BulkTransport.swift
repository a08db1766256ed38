/// A device's interface with its bulk endpoints, as a link uses it: libusb's, another machine's, a test's.
///
/// Belongs to one thread. Callers are generic over it, so that a call costs no more than the implementation's own.
package protocol BulkTransport: EventSource {
    associatedtype Transfer: BulkTransfer

    /// Makes a transfer for one endpoint, to be submitted again and again.
    /// - Throws: `USBError.noMemory`.
    func makeTransfer(endpoint: UInt8, bufferSize: Int) throws(USBError) -> Transfer

    /// Sends SET_INTERFACE. No transfer may be in flight.
    /// - Throws: `USBError.noDevice`; `.other` where the device stalls the request.
    func selectAlternateSetting(_ setting: Int) throws(USBError)

    /// Gives the interface back and claims it anew. If another alternate setting than 0 was selected the device gets a
    /// SET_INTERFACE 0. No transfer may be in flight.
    /// - Throws: `USBError.noDevice`, or `.busy` if another process was faster.
    func reclaim() throws(USBError)

    /// Notes what has happened to the transfers, after waiting for at most `milliseconds`; returns early if something
    /// happens or `interrupt` is called.
    func handleEvents(milliseconds: Int)

    /// Whether the device has left the bus. Sends nothing on the wire.
    var isGone: Bool { get }

    /// The clock of `handleEvents`' waits.
    var now: ContinuousClock.Instant { get }
}

/// A bulk transfer and its buffer, used by one thread.
package protocol BulkTransfer: AnyObject {
    /// The transfer's memory; the caller's as long as the transfer is not in flight.
    var buffer: UnsafeMutableRawBufferPointer { get }

    /// Whether the transfer is submitted, and `handleEvents` has not noted its end.
    var isInFlight: Bool { get }

    /// How the last transfer ended.
    var outcome: TransferOutcome { get }

    /// Bytes that the last transfer moved, valid for a cancelled one as well.
    var count: Int { get }

    /// Submits a part of the buffer.
    /// - Parameter endWithZeroLengthPacket: OUT only: whether a zero-length packet follows the last one.
    /// - Throws: `USBError.noDevice`, `.noMemory`, or what else submitting says; then nothing was sent.
    func submit(_ range: Range<Int>, endWithZeroLengthPacket: Bool) throws(USBError)

    /// Asks for the transfer to end. It is in flight until `handleEvents` notes its end, which may still be a success.
    func cancel()

    /// Gives the transfer a buffer of another size, with the first `keeping` bytes of the old one.
    func resize(_ bufferSize: Int, keeping: Int)
}

/// How a transfer ended.
package enum TransferOutcome: Hashable, Sendable {
    case completed
    /// `cancel` was called, and came before the end. Some bytes may have been moved.
    case cancelled
    /// The device has left the bus.
    case gone
    /// The device refused it, or has shut the endpoint down, or the bus failed.
    case failed
}

/// What a thread waits for, and others may wake it from.
package protocol EventSource: AnyObject {
    /// Ends the wait that is under way, or the next one; may be called from any thread.
    func interrupt()
}
