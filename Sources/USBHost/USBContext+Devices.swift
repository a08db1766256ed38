internal import CLibUSB

extension USBContext {
    /// Calls `body` with the devices of this session. The corresponding C function is `libusb_get_device_list`.
    package func devices<Result>(_ body: ([OpaquePointer]) -> Result) throws(USBError) -> Result {
        var list: UnsafeMutablePointer<OpaquePointer?>?
        let count = libusb_get_device_list(raw, &list)
        guard count >= 0, let list else { throw USBError(rawValue: CInt(count)) }
        defer { libusb_free_device_list(list, 1) }
        return body(UnsafeBufferPointer(start: list, count: count).compactMap { $0 })
    }

    /// The kernel's name of the port, such as "2-1.1.2"; "usb2" for a root hub.
    package static func path(of device: OpaquePointer) -> String {
        let bus = libusb_get_bus_number(device)
        // A tree has 7 tiers at most, by the USB specification.
        let ports = [UInt8](unsafeUninitializedCapacity: 7) { buffer, count in
            count = Int(max(0, libusb_get_port_numbers(device, buffer.baseAddress, CInt(buffer.count))))
        }
        return ports.isEmpty ? "usb\(bus)" : "\(bus)-" + ports.map(String.init).joined(separator: ".")
    }
}
