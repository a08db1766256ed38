public import USBHost

/// Carries requests from one board on a USB port of this machine to a responder and the replies back, on the thread that
/// calls `run`.
///
/// A board must not mount twice without making its gadget anew, except where `BulkPair.followsMounts`: each mount lets a
/// client of Linux 6.12 send one more request before the first one's reply (`p9_usbg_create` in `net/9p/trans_usbg.c`
/// completes `received`). The board itself can't cope with that, and the host can't help it.
public final class GadgetLink {
    /// The board's end.
    public let gadget: Gadget

    private let claimed: ClaimedInterface
    private let loop: RequestLoop<ClaimedInterface>

    /// The side that sent a frame.
    public enum Direction: Sendable {
        case fromBoard
        case toBoard
    }

    /// The msize that a server should not exceed, in bytes. A link has three buffers of this size, and the kernel gives usbfs
    /// 16 MiB in all (`usbcore.usbfs_memory_mb`).
    public static let maximumMsize = 1 << 20

    /// Claims the gadget's interface, and takes usb-storage off the other ones of the same device.
    /// - Parameters:
    ///   - msize: what an earlier link has negotiated, for a board that is still mounted; else 0.
    ///   - patience: seconds to wait for permission: udev grants it a moment after the device has appeared.
    ///   - stop: ends that wait.
    /// - Throws: `USBError.accessDenied`, `.busy` if another process has the interface, `.noDevice`.
    public init(_ gadget: Gadget, msize: Int = 0, patience: Double = 1, until stop: StopRequest? = nil) throws(USBError)
    {
        self.gadget = gadget
        claimed = try ClaimedInterface(
            gadget,
            interface: gadget.bulk.interface,
            in: USBContext(),
            patience: patience,
            until: stop
        )
        loop = try RequestLoop(claimed, gadget.bulk, msize: msize)
    }

    /// Answers requests until the link ends; to be called once.
    public func run(answering responder: some Responder, until stop: StopRequest) -> LinkEnd {
        responder.serve { [weak claimed] in claimed?.isGone ?? true }
        return loop.run(answering: { responder.respond(to: $0, into: $1) }, until: stop)
    }

    /// The interfaces of the device that lost usb-storage or uas.
    public var detachedInterfaces: [Int] { claimed.detachedInterfaces }

    /// The negotiated msize in bytes; 0 before the first Tversion.
    public var msize: Int { loop.msize }

    /// What has been moved so far.
    public var statistics: LinkStatistics { loop.statistics }

    /// Called with every request and every reply.
    public var trace: ((Direction, RawSpan) -> Void)? {
        get { loop.trace }
        set { loop.trace = newValue }
    }

    /// Called with what went wrong.
    public var notify: ((LinkNotice) -> Void)? {
        get { loop.notify }
        set { loop.notify = newValue }
    }
}
