internal import CLibUSB

extension USBContext {
    /// Calls `body` with the devices of this session. The corresponding C function is `libusb_get_device_list`.
    /// - Throws: what `libusb_get_device_list` says, such as `USBError.noMemory`.
    package func devices<Result>(_ body: ([ListedDevice]) -> Result) throws(USBError) -> Result {
        var list: UnsafeMutablePointer<OpaquePointer?>?
        let count = libusb_get_device_list(raw, &list)
        guard count >= 0, let list else { throw USBError(rawValue: CInt(count)) }
        defer { libusb_free_device_list(list, 1) }
        return body(UnsafeBufferPointer(start: list, count: count).compactMap { $0.map(ListedDevice.init) })
    }
}
