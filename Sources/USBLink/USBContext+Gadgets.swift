internal import CLibUSB
internal import Glibc
public import USBHost

extension USBContext {
    /// The gadgets that are plugged in and configured, by bus and port.
    ///
    /// Needs no permission on the device nodes and sends nothing on the wire: descriptors and strings come from sysfs,
    /// the strings from the device only where there is no sysfs.
    /// - Throws: what `libusb_get_device_list` says, such as `USBError.noMemory`.
    public func gadgets() throws(USBError) -> [Gadget] {
        try devices { list in
            list.compactMap { device in gadget(device) }.sorted { ($0.bus, $0.path) < ($1.bus, $1.path) }
        }
    }

    /// Describes a device; nil if it is no gadget.
    func gadget(_ device: OpaquePointer) -> Gadget? {
        var configuration: UnsafeMutablePointer<libusb_config_descriptor>?
        guard libusb_get_active_config_descriptor(device, &configuration) == 0, let configuration else { return nil }
        defer { libusb_free_config_descriptor(configuration) }
        let speed = Self.speed(of: device)
        guard let bulk = BulkPair(in: configuration.pointee, packetLimit: speed.maxBulkPacketSize) else { return nil }
        var descriptor = libusb_device_descriptor()
        guard libusb_get_device_descriptor(device, &descriptor) == 0 else { return nil }

        let path = Self.path(of: device)
        var gadget = Gadget(
            bus: Int(libusb_get_bus_number(device)),
            address: Int(libusb_get_device_address(device)),
            vendorID: descriptor.idVendor,
            productID: descriptor.idProduct,
            path: path,
            speed: speed,
            bulk: bulk,
            isAccessible: false
        )
        gadget.isAccessible = access(gadget.node, R_OK | W_OK) == 0
        let sysfs = SysfsDevice(path: path)
        if sysfs.exists {
            gadget.manufacturer = sysfs.attribute("manufacturer")
            gadget.product = sysfs.attribute("product")
            gadget.serial = sysfs.attribute("serial")
        } else {
            var handle: OpaquePointer?
            guard libusb_open(device, &handle) == 0, let handle else { return gadget }
            defer { libusb_close(handle) }
            gadget.manufacturer = Self.string(descriptor.iManufacturer, of: handle)
            gadget.product = Self.string(descriptor.iProduct, of: handle)
            gadget.serial = Self.string(descriptor.iSerialNumber, of: handle)
        }
        return gadget
    }

    private static func speed(of device: OpaquePointer) -> Gadget.Speed {
        switch libusb_get_device_speed(device) {
        case CInt(LIBUSB_SPEED_FULL.rawValue): .full
        case CInt(LIBUSB_SPEED_HIGH.rawValue): .high
        case CInt(LIBUSB_SPEED_SUPER.rawValue): .super
        case CInt(LIBUSB_SPEED_SUPER_PLUS.rawValue): .superPlus
        default: .unknown
        }
    }

    private static func string(_ index: UInt8, of handle: OpaquePointer) -> String? {
        guard index != 0 else { return nil }
        let text = String(unsafeUninitializedCapacity: 256) {
            Int(max(0, libusb_get_string_descriptor_ascii(handle, index, $0.baseAddress, CInt($0.count))))
        }
        return text.isEmpty ? nil : text
    }
}
