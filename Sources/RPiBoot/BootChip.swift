/// A family of Raspberry Pi processors, as its boot ROM shows itself on USB.
///
/// Source: usb.ids, and raspberrypi/usbboot for the names of files and directories.
public enum BootChip: CaseIterable, Sendable {
    /// BCM2835, 2836 and 2837: Zero, Zero 2 W, 3A+, CM1 to CM3+.
    case bcm2837
    /// Pi 4B, 400, CM4, CM4S.
    case bcm2711
    /// Pi 5, 500, CM5.
    case bcm2712

    /// Broadcom.
    public static let vendorID: UInt16 = 0x0a5c

    /// The processor whose boot ROM or bootloader has these ids.
    /// - Returns: nil unless the device is a Raspberry Pi in boot mode.
    public init?(vendorID: UInt16, productID: UInt16) {
        guard vendorID == Self.vendorID, let chip = Self.allCases.first(where: { $0.productIDs.contains(productID) })
        else { return nil }
        self = chip
    }

    /// The USB product numbers of its boot ROM and bootloader.
    public var productIDs: [UInt16] {
        switch self {
        case .bcm2837: [0x2763, 0x2764]
        case .bcm2711: [0x2711]
        case .bcm2712: [0x2712]
        }
    }

    /// What to call it in messages, such as "BCM2711".
    public var name: String {
        switch self {
        case .bcm2837: "BCM2835/2837"
        case .bcm2711: "BCM2711"
        case .bcm2712: "BCM2712"
        }
    }

    /// The file that the boot ROM takes.
    public var bootcode: String {
        switch self {
        case .bcm2837: "bootcode.bin"
        case .bcm2711: "bootcode4.bin"
        case .bcm2712: "bootcode5.bin"
        }
    }

    /// The subdirectory whose files are for this family only.
    public var directory: String {
        switch self {
        case .bcm2837: "2710"
        case .bcm2711: "2711"
        case .bcm2712: "2712"
        }
    }
}
