internal import USBHost

/// Waits until a board mounts, where the bulk pair is in an alternate setting of its own: the gadget stalls SET_INTERFACE
/// as long as nothing is mounted, and shuts the endpoints down when it is unmounted.
///
/// Source: the patches to the kernel's `net/9p/trans_usbg.c` proposed in March 2026. Their host program asks once a second,
/// with a fresh claim each time.
struct MountWait<Transport: BulkTransport> {
    private let transport: Transport
    private let alternateSetting: Int
    private let notify: ((LinkNotice) -> Void)?
    /// Whether the device was asked before.
    private var isAgain = false

    init(_ transport: Transport, alternateSetting: Int, _ notify: ((LinkNotice) -> Void)?) {
        self.transport = transport
        self.alternateSetting = alternateSetting
        self.notify = notify
    }

    /// Returns when the board has mounted, with the endpoints ready for transfers.
    /// - Returns: nil, or why the link has ended meanwhile.
    mutating func awaitNext(until stop: StopRequest) -> LinkEnd? {
        var isTold = false
        while true {
            if isAgain {
                if !isTold { notify?(.notMounted) }
                isTold = true
                transport.pause(.seconds(1), until: stop)
            }
            if stop.isRequested { return .stopped }
            do throws(USBError) {
                if isAgain { try transport.reclaim() }
                isAgain = true
                try transport.selectAlternateSetting(alternateSetting)
                return nil
            } catch {
                if error == .noDevice || transport.isGone { return .gone(midRequest: false) }
                // libusb has one error for a stall and for everything that it does not know.
                guard error == .other else { return .failed(error) }
            }
        }
    }
}
