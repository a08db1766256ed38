internal import CLibUSB

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
    ///
    /// libusb tells of arrivals, but not everywhere (there is no udev in a container), and a session without udev never
    /// lists a device that came after it was opened. So a new session looks again twice a second.
    /// - Parameter deadline: nil waits for ever.
    public func wait(until deadline: ContinuousClock.Instant?, stop: StopRequest) throws(USBError) -> Result {
        while !stop.isRequested {
            let context = try USBContext()
            let arrivals = Arrivals(context)
            let result = result(of: try context.gadgets())
            if case .none = result {} else { return result }
            let now = ContinuousClock.now
            if let deadline, now >= deadline { return .none }
            let rescan = min(now + .milliseconds(500), deadline ?? now + .milliseconds(500))
            try stop.interrupting(context) { () throws(USBError) in
                while !arrivals.any, !stop.isRequested, ContinuousClock.now < rescan {
                    let left = (rescan - ContinuousClock.now) / .milliseconds(1)
                    context.handleEvents(milliseconds: max(1, Int(left)))
                }
            }
            withExtendedLifetime(arrivals) {}
        }
        return .stopped
    }

    private func result(of gadgets: [Gadget]) -> Result {
        let matching = gadgets.filter(selector.matches)
        return switch matching.count {
        case 0: .none
        case 1: .found(matching[0])
        default: .several(matching)
        }
    }

    /// Notes that something was plugged in; a hotplug callback may do no more than that.
    private final class Arrivals {
        private(set) var any = false
        private let context: USBContext
        private var callback: libusb_hotplug_callback_handle = 0

        init(_ context: USBContext) {
            self.context = context
            guard libusb_has_capability(LIBUSB_CAP_HAS_HOTPLUG.rawValue) != 0 else { return }
            _ = libusb_hotplug_register_callback(
                context.raw,
                CInt(LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED.rawValue),
                0,
                LIBUSB_HOTPLUG_MATCH_ANY,
                LIBUSB_HOTPLUG_MATCH_ANY,
                LIBUSB_HOTPLUG_MATCH_ANY,
                { _, _, _, arrivals in
                    if let arrivals { Unmanaged<Arrivals>.fromOpaque(arrivals).takeUnretainedValue().any = true }
                    return 0
                },
                Unmanaged.passUnretained(self).toOpaque(),
                &callback
            )
        }

        deinit {
            if callback != 0 { libusb_hotplug_deregister_callback(context.raw, callback) }
        }
    }
}
