public import USBHost

/// A usb9pfs gadget on a USB port: a board that wants its files from here.
public struct Gadget: AttachedDevice, Hashable, Sendable {
    /// The bus number, such as 2.
    public var bus: Int
    /// The device's number on its bus; a new one at every enumeration.
    public var address: Int
    /// The ids of the device descriptor, 1d6b and 0109 by default; other gadgets have others.
    public var vendorID: UInt16
    /// idProduct.
    public var productID: UInt16
    /// The port, as the kernel names it: bus, hyphen, ports with dots, such as "2-1.1.2". Stable as long as the cables.
    public var path: String
    /// What host and board have agreed on.
    public var speed: DeviceSpeed
    /// Where its messages travel.
    public var bulk: BulkPair
    /// The strings the gadget gives itself; nil where it has none or they can't be read.
    public var manufacturer: String?
    /// iProduct; nil if there is none or it can't be read.
    public var product: String?
    /// iSerialNumber; nil if there is none or it can't be read.
    public var serial: String?
    /// Whether this user may open the device node.
    public var isAccessible: Bool

    /// Vendor and product, such as "1d6b:0109".
    public var id: String { "\(DeviceID(vendor: vendorID, product: productID))" }
}

extension DeviceSelector {
    /// Whether the selector means this gadget.
    public func matches(_ gadget: Gadget) -> Bool {
        (path == nil || path == gadget.path)
            && (serial == nil || serial == gadget.serial)
            && (id == nil || id == DeviceID(vendor: gadget.vendorID, product: gadget.productID))
    }
}
