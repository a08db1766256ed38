/// Why bytes are not the message they claim to be, or why a message can't be written.
public enum WireError: Error, Hashable, Sendable {
    /// The body ends before the message does.
    case truncated
    /// Bytes are left after the message.
    case trailingBytes
    /// A counter is beyond what the protocol allows, such as more than 16 names in Twalk.
    case limitExceeded
    /// The span has no room for the message.
    case noRoom
}
