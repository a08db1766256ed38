public import USBHost

/// A Raspberry Pi that waits on a USB port for what it is to run.
public struct BootDevice: AttachedDevice, Hashable, Sendable {
    /// The bus number, such as 2.
    public var bus: Int
    /// The device's number on its bus; a new one at every enumeration, and so in every stage.
    public var address: Int
    /// The port, as the kernel names it, such as "2-1.1.2"; the same in all stages.
    public var path: String
    /// The family of its processor.
    public var chip: BootChip
    /// One of the family's, such as 0x2711.
    public var productID: UInt16
    /// What runs on it.
    public var stage: Stage
    /// The interface that takes files, and the address of its bulk OUT endpoint.
    public var interface: Int
    /// The address of the OUT endpoint.
    public var endpoint: UInt8
    /// What the board says its serial number is; nil if it says nothing, as the boot ROM of the oldest does.
    public var serial: String?
    /// Whether this user may open the device node.
    public var isAccessible: Bool

    /// The id, such as "0a5c:2711".
    public var id: String { "\(DeviceID(vendor: BootChip.vendorID, product: productID))" }

    /// What runs on the board; each enumerates anew.
    public enum Stage: Sendable {
        /// The boot ROM: takes one file.
        case rom
        /// A bootloader: asks for files by name.
        case fileServer

        /// The stage that a device descriptor shows.
        /// - Parameter serialNumberIndex: the device descriptor's iSerialNumber, which is how the stages are told apart:
        ///   0 in the older ROMs, 3 in those of BCM2711 and BCM2712.
        public init(serialNumberIndex: UInt8) {
            self = serialNumberIndex == 0 || serialNumberIndex == 3 ? .rom : .fileServer
        }
    }

    init(
        bus: Int,
        address: Int,
        path: String,
        chip: BootChip,
        productID: UInt16,
        stage: Stage,
        target: BulkTarget,
        serial: String?,
        isAccessible: Bool
    ) {
        self.bus = bus
        self.address = address
        self.path = path
        self.chip = chip
        self.productID = productID
        self.stage = stage
        interface = target.interface
        endpoint = target.endpoint
        self.serial = serial
        self.isAccessible = isAccessible
    }
}

/// Where files travel to the board: interface 0 if it is the only one, else interface 1, since interface 0 of some
/// BCM2837 is a mass storage; the interface's bulk OUT endpoint (1 in the former, 3 in the latter).
struct BulkTarget: Hashable {
    let interface: Int
    let endpoint: UInt8

    init(interface: Int, endpoint: UInt8) {
        self.interface = interface
        self.endpoint = endpoint
    }

    init?(in configuration: Configuration) {
        let wanted = configuration.interfaces.count == 1 ? 0 : 1
        let settings = configuration.interfaces.compactMap(\.first).filter { $0.interface == wanted }
        guard let endpoint = settings.flatMap(\.endpoints).first(where: { $0.isBulk && !$0.isIn }) else { return nil }
        self.init(interface: wanted, endpoint: endpoint.address)
    }
}

extension USBContext {
    /// The Raspberry Pis that wait to be loaded, by bus and port.
    ///
    /// Needs no permission on the device nodes and sends nothing on the wire.
    /// - Throws: what `libusb_get_device_list` says, such as `USBError.noMemory`.
    public func bootDevices() throws(USBError) -> [BootDevice] {
        try devices { list in list.compactMap(BootDevice.init).sorted { ($0.bus, $0.path) < ($1.bus, $1.path) } }
    }
}

extension BootDevice {
    /// Describes a device; nil if it is something else.
    fileprivate init?(_ device: ListedDevice) {
        guard let id = device.id, let chip = BootChip(vendorID: id.vendor, productID: id.product),
            let configuration = device.configuration, let target = BulkTarget(in: configuration)
        else { return nil }
        self.init(
            bus: device.bus,
            address: device.address,
            path: device.path,
            chip: chip,
            productID: id.product,
            stage: Stage(serialNumberIndex: device.serialNumberIndex),
            target: target,
            serial: SysfsDevice(path: device.path).attribute("serial"),
            isAccessible: device.canBeOpened
        )
    }
}

extension DeviceSelector {
    /// Whether the selector means this board.
    ///
    /// The boot ROM of BCM2711 knows the last eight digits of the serial number only, the stages after it sixteen: either
    /// is good enough for the other.
    public func matches(_ device: BootDevice) -> Bool {
        (path == nil || path == device.path)
            && (serial == nil || Self.isSame(serial ?? "", device.serial ?? ""))
            && (id == nil || id == DeviceID(vendor: BootChip.vendorID, product: device.productID))
    }

    private static func isSame(_ one: String, _ other: String) -> Bool {
        let (one, other) = (one.lowercased(), other.lowercased())
        let shorter = min(one.count, other.count)
        return one == other || (shorter >= 8 && (one.hasSuffix(other) || other.hasSuffix(one)))
    }
}
