internal import CLibUSB
internal import Glibc

/// A device in the list of a session; valid only while `USBContext.devices` runs.
///
/// Needs no permission on the device node. Only `strings` sends something on the wire.
package struct ListedDevice: AttachedDevice {
    /// The `libusb_device`.
    let raw: OpaquePointer

    package var bus: Int { Int(libusb_get_bus_number(raw)) }
    package var address: Int { Int(libusb_get_device_address(raw)) }

    /// The kernel's name of the port, such as "2-1.1.2"; "usb2" for a root hub.
    package var path: String {
        // A tree has 7 tiers at most, by the USB specification.
        let ports = [UInt8](unsafeUninitializedCapacity: 7) { buffer, count in
            count = Int(max(0, libusb_get_port_numbers(raw, buffer.baseAddress, CInt(buffer.count))))
        }
        return ports.isEmpty ? "usb\(bus)" : "\(bus)-" + ports.map(String.init).joined(separator: ".")
    }

    package var speed: DeviceSpeed { DeviceSpeed(libusb: libusb_get_device_speed(raw)) }

    /// Vendor and product; nil if libusb has no descriptor.
    package var id: DeviceID? {
        descriptor.map { DeviceID(vendor: $0.idVendor, product: $0.idProduct) }
    }

    /// The index of the serial number string; 0 if the device has none.
    package var serialNumberIndex: UInt8 { descriptor?.iSerialNumber ?? 0 }

    /// Nil as long as the kernel has not configured the device, for a moment after its arrival.
    package var configuration: Configuration? { try? activeConfiguration() }

    /// The corresponding C function is `libusb_get_active_config_descriptor`.
    func activeConfiguration() throws(USBError) -> Configuration {
        var configuration: UnsafeMutablePointer<libusb_config_descriptor>?
        try checked(libusb_get_active_config_descriptor(raw, &configuration))
        guard let configuration else { throw .notFound }
        defer { libusb_free_config_descriptor(configuration) }
        return Configuration(configuration.pointee)
    }

    /// The strings a device gives itself; nil where it has none or they can't be read.
    package struct Strings {
        package var manufacturer: String?
        package var product: String?
        package var serial: String?
    }

    /// The strings as sysfs has them. The device is asked only where there is no sysfs.
    package var strings: Strings {
        let sysfs = SysfsDevice(path: path)
        if sysfs.exists {
            return Strings(
                manufacturer: sysfs.attribute("manufacturer"),
                product: sysfs.attribute("product"),
                serial: sysfs.attribute("serial")
            )
        }
        var handle: OpaquePointer?
        guard let descriptor, libusb_open(raw, &handle) == 0, let handle else { return Strings() }
        defer { libusb_close(handle) }
        return Strings(
            manufacturer: Self.string(descriptor.iManufacturer, of: handle),
            product: Self.string(descriptor.iProduct, of: handle),
            serial: Self.string(descriptor.iSerialNumber, of: handle)
        )
    }

    private var descriptor: libusb_device_descriptor? {
        var descriptor = libusb_device_descriptor()
        return libusb_get_device_descriptor(raw, &descriptor) == 0 ? descriptor : nil
    }

    private static func string(_ index: UInt8, of handle: OpaquePointer) -> String? {
        guard index != 0 else { return nil }
        let text = String(unsafeUninitializedCapacity: 256) {
            Int(max(0, libusb_get_string_descriptor_ascii(handle, index, $0.baseAddress, CInt($0.count))))
        }
        return text.isEmpty ? nil : text
    }
}
