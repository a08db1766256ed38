internal import CLibUSB

/// A device's speed as the host sees it; the raw value is the kernel's `speed` attribute, in Mbit/s.
public enum DeviceSpeed: Int, Sendable {
    case unknown = 0
    case full = 12
    case high = 480
    case `super` = 5000
    case superPlus = 10000

    /// Bytes of the largest bulk packet: USB 2.0, 5.8.3; USB 3.2, 9.6.6.
    public var maxBulkPacketSize: Int {
        switch self {
        case .full: 64
        case .high: 512
        case .unknown, .super, .superPlus: 1024
        }
    }

    /// - Parameter code: one of `enum libusb_speed`.
    init(libusb code: CInt) {
        self =
            switch code {
            case CInt(LIBUSB_SPEED_FULL.rawValue): .full
            case CInt(LIBUSB_SPEED_HIGH.rawValue): .high
            case CInt(LIBUSB_SPEED_SUPER.rawValue): .super
            case CInt(LIBUSB_SPEED_SUPER_PLUS.rawValue): .superPlus
            default: .unknown
            }
    }
}
