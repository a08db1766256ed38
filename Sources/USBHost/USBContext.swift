internal import CLibUSB
internal import Glibc
internal import LinuxFiles

/// One libusb session, used by one thread.
///
/// A board's thread has a session of its own, so that its transfers complete on that thread and on no other.
public final class USBContext: EventSource {
    let raw: OpaquePointer

    /// Opens a session. The corresponding C function is `libusb_init`.
    /// - Throws: `USBError.other` where the machine has no USB at all.
    public init() throws(USBError) {
        var context: OpaquePointer?
        try checked(libusb_init(&context))
        guard let context else { throw .other }
        raw = context
    }

    deinit {
        libusb_exit(raw)
    }

    /// Whether this machine has a USB bus at all: a container or a virtual machine may have none.
    public static var hasBuses: Bool {
        guard let devices = try? System.open("/sys/bus/usb/devices", [.readOnly, .directory]),
            let names = try? System.names(in: devices.raw)
        else { return false }
        return !names.isEmpty
    }

    /// Runs the callbacks of what has happened, after waiting for at most `milliseconds`; returns early if something
    /// happens or `StopRequest.request` is called. The corresponding C function is `libusb_handle_events_timeout`.
    package func handleEvents(milliseconds: Int) {
        var timeout = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        // The only errors are an interrupted wait and ones that the transfers report as well.
        _ = libusb_handle_events_timeout_completed(raw, &timeout, nil)
    }

    /// The corresponding C function is `libusb_interrupt_event_handler`.
    package func interrupt() { libusb_interrupt_event_handler(raw) }
}
