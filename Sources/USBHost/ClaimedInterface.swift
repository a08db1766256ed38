internal import CLibUSB

/// An open device with one interface claimed; given back when its owner goes away.
///
/// Opening, claiming and giving back send nothing on the wire where the bulk pair is in alternate setting 0. Nothing
/// here ever resets the device or sets its configuration: before the first mount, both panic the board's kernel.
package final class ClaimedInterface {
    package let handle: OpaquePointer
    private let interface: CInt
    /// Keeps the session open for as long as the handle.
    private let context: USBContext
    /// The interfaces that lost their kernel driver so that the board stays well.
    package private(set) var detachedInterfaces: [Int] = []

    /// - Parameters:
    ///   - patience: seconds to wait for permission.
    ///   - stop: ends that wait.
    /// - Throws: `USBError.accessDenied`, `.busy` if another process has the interface, `.noDevice`.
    package init(
        _ device: some AttachedDevice,
        interface: Int,
        alternateSetting: Int = 0,
        in context: USBContext,
        patience: Double,
        until stop: StopRequest? = nil
    ) throws(USBError) {
        self.context = context
        handle = try Self.open(device, in: context, patience: patience, until: stop)
        self.interface = CInt(interface)
        // From here on the object is complete: an error runs deinit.
        try detachStorage(of: device)
        try checked(libusb_claim_interface(handle, self.interface))
        if alternateSetting != 0 {
            try checked(libusb_set_interface_alt_setting(handle, self.interface, CInt(alternateSetting)))
        }
    }

    deinit {
        // libusb knows whether it is claimed, and does nothing if it is not.
        _ = libusb_release_interface(handle, interface)
        libusb_close(handle)
    }

    /// Whether the device has left the bus. Asks the kernel about a driver, which sends nothing on the wire.
    package var isGone: Bool { libusb_kernel_driver_active(handle, interface) == LIBUSB_ERROR_NO_DEVICE.rawValue }

    private static func open(
        _ device: some AttachedDevice,
        in context: USBContext,
        patience: Double,
        until stop: StopRequest?
    ) throws(USBError) -> OpaquePointer {
        let deadline = ContinuousClock.now + .seconds(patience)
        while true {
            let result = try context.devices { list -> Result<OpaquePointer, USBError> in
                let device = list.first {
                    Int(libusb_get_bus_number($0)) == device.bus && Int(libusb_get_device_address($0)) == device.address
                }
                guard let device else { return .failure(.noDevice) }
                var handle: OpaquePointer?
                let code = libusb_open(device, &handle)
                guard code == 0, let handle else { return .failure(USBError(rawValue: code)) }
                return .success(handle)
            }
            if case .failure(.accessDenied) = result, ContinuousClock.now < deadline, stop?.isRequested != true {
                context.handleEvents(milliseconds: 50)
                continue
            }
            return try result.get()
        }
    }

    /// Takes usb-storage and uas off the device's other interfaces: their error recovery resets the whole device.
    ///
    /// They stay off afterwards, for the board may still be mounted when this process ends.
    private func detachStorage(of device: some AttachedDevice) throws(USBError) {
        var descriptor: UnsafeMutablePointer<libusb_config_descriptor>?
        try checked(libusb_get_active_config_descriptor(libusb_get_device(handle), &descriptor))
        guard let descriptor else { return }
        defer { libusb_free_config_descriptor(descriptor) }
        let sysfs = SysfsDevice(path: device.path)
        for index in 0..<Int(descriptor.pointee.bNumInterfaces) {
            let interface = descriptor.pointee.interface[index]
            guard interface.num_altsetting > 0 else { continue }
            let setting = interface.altsetting[0]
            guard setting.bInterfaceClass == UInt8(LIBUSB_CLASS_MASS_STORAGE.rawValue) else { continue }
            let number = Int(setting.bInterfaceNumber)
            if sysfs.exists {
                let configuration = Int(descriptor.pointee.bConfigurationValue)
                let driver = sysfs.driver(configuration: configuration, interface: number)
                guard driver == "usb-storage" || driver == "uas" else { continue }
            } else if libusb_kernel_driver_active(handle, CInt(number)) != 1 {
                continue
            }
            let code = libusb_detach_kernel_driver(handle, CInt(number))
            // "Not found": it has just gone by itself.
            guard code != LIBUSB_ERROR_NOT_FOUND.rawValue else { continue }
            try checked(code)
            detachedInterfaces.append(number)
        }
    }
}
