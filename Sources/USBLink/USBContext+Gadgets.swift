public import USBHost

extension USBContext {
    /// The gadgets that are plugged in and configured, by bus and port.
    ///
    /// Needs no permission on the device nodes and sends nothing on the wire: descriptors and strings come from sysfs,
    /// the strings from the device only where there is no sysfs.
    /// - Throws: what `libusb_get_device_list` says, such as `USBError.noMemory`.
    public func gadgets() throws(USBError) -> [Gadget] {
        try devices { list in list.compactMap(Gadget.init).sorted { ($0.bus, $0.path) < ($1.bus, $1.path) } }
    }
}

extension Gadget {
    /// Describes a device; nil if it is not a gadget.
    fileprivate init?(_ device: ListedDevice) {
        let speed = device.speed
        guard let configuration = device.configuration,
            let bulk = BulkPair(in: configuration, packetLimit: speed.maxBulkPacketSize),
            let id = device.id
        else { return nil }
        let strings = device.strings
        self.init(
            bus: device.bus,
            address: device.address,
            vendorID: id.vendor,
            productID: id.product,
            path: device.path,
            speed: speed,
            bulk: bulk,
            manufacturer: strings.manufacturer,
            product: strings.product,
            serial: strings.serial,
            isAccessible: device.canBeOpened
        )
    }
}
