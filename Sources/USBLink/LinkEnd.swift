public import USBHost

/// Why a link has ended.
public enum LinkEnd: Hashable, Sendable {
    /// Somebody asked for it. Every request that was read has been answered; the board waits for the next process.
    case stopped
    /// The device is gone: unplugged, or the board has rebooted. If it was in the middle of a request, and the board was
    /// not rebooted, the kernel's client never recovers.
    case gone(midRequest: Bool)
    /// The board did not take a reply, or sent something that can't be answered. It must be rebooted.
    case wedged(Wedge)
    /// A transfer failed, but the device is still there.
    case failed(USBError)

    /// What the board can't recover from.
    public enum Wedge: Hashable, Sendable {
        /// The transfer of a reply failed, or the board did not take it before the link had to stop.
        case replyNotTaken
        /// Bytes came that have no tag to answer to, or the rest of a message never came.
        case requestLost
    }
}
