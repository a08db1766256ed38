internal import CLibUSB

/// Looks at the USB ports until something is there.
public enum PortWatch {
    /// Calls `look` at once and whenever something may have been plugged in, until it returns something.
    ///
    /// libusb tells of arrivals, but not everywhere (there is no udev in a container), and a session without udev never
    /// lists a device that came after it was opened. So a new session looks again twice a second.
    /// - Parameters:
    ///   - deadline: nil waits for ever.
    ///   - look: called with a session that lists what is there now, on the thread that waits.
    /// - Returns: nil if the time is over or `StopRequest.request` was called.
    /// - Throws: what opening a session says, and what `look` throws.
    public static func wait<Found>(
        until deadline: ContinuousClock.Instant?,
        stop: StopRequest,
        look: (USBContext) throws(USBError) -> Found?
    ) throws(USBError) -> Found? {
        while !stop.isRequested {
            let context = try USBContext()
            let arrivals = Arrivals(context)
            if let found = try look(context) { return found }
            let now = ContinuousClock.now
            if let deadline, now >= deadline { return nil }
            let rescan = min(now + .milliseconds(500), deadline ?? now + .milliseconds(500))
            try stop.interrupting(context) { () throws(USBError) in
                while !arrivals.any, !stop.isRequested, ContinuousClock.now < rescan {
                    let left = (rescan - ContinuousClock.now) / .milliseconds(1)
                    context.handleEvents(milliseconds: max(1, Int(left)))
                }
            }
            withExtendedLifetime(arrivals) {}
        }
        return nil
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
