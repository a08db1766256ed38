internal import CLibUSB

/// An open device with one interface claimed; given back when its owner goes away. The bulk transport that libusb is.
///
/// Opening, claiming and giving back send nothing on the wire as long as the interface is in alternate setting 0. Nothing
/// here ever resets the device or sets its configuration: before the first mount, both panic the board's kernel.
package final class ClaimedInterface: BulkTransport {
    /// The `libusb_device_handle`.
    package let handle: OpaquePointer
    private let interface: CInt
    /// Keeps the session open for as long as the handle.
    private let context: USBContext
    /// The interfaces that lost their kernel driver so that the board stays well.
    package private(set) var detachedInterfaces: [Int] = []

    /// Opens a device and claims an interface of it.
    /// - Parameters:
    ///   - patience: seconds to wait for permission.
    ///   - stop: ends that wait.
    /// - Throws: `USBError.accessDenied`, `.busy` if another process has the interface, `.noDevice`.
    package init(
        _ device: some AttachedDevice,
        interface: Int,
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
    }

    deinit {
        // libusb knows whether it is claimed, and does nothing if it is not.
        _ = libusb_release_interface(handle, interface)
        libusb_close(handle)
    }

    package func makeTransfer(endpoint: UInt8, bufferSize: Int) throws(USBError) -> LibUSBTransfer {
        try LibUSBTransfer(self, endpoint: endpoint, bufferSize: bufferSize)
    }

    /// Selects an alternate setting, which the board sees.
    /// The corresponding C function is `libusb_set_interface_alt_setting`.
    /// - Throws: `USBError.noDevice`, `.notFound` for a setting that does not exist; else as the C function.
    package func selectAlternateSetting(_ setting: Int) throws(USBError) {
        try checked(libusb_set_interface_alt_setting(handle, interface, CInt(setting)))
    }

    /// Gives the interface back and claims it again.
    /// The corresponding C functions are `libusb_release_interface` and `libusb_claim_interface`.
    /// - Throws: `USBError.noDevice`, `.busy` if another process took it.
    package func reclaim() throws(USBError) {
        // Fails only if the device has gone or an earlier claim has failed; then claiming fails, too.
        _ = libusb_release_interface(handle, interface)
        try checked(libusb_claim_interface(handle, interface))
    }

    package func handleEvents(milliseconds: Int) { context.handleEvents(milliseconds: milliseconds) }

    package func interrupt() { context.interrupt() }

    package var now: ContinuousClock.Instant { .now }

    /// Asks the kernel about the interface's driver, which sends nothing on the wire.
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
                let device = list.first { $0.bus == device.bus && $0.address == device.address }
                guard let device else { return .failure(.noDevice) }
                var handle: OpaquePointer?
                let code = libusb_open(device.raw, &handle)
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
        let configuration = try ListedDevice(raw: libusb_get_device(handle)).activeConfiguration()
        let sysfs = SysfsDevice(path: device.path)
        for setting in configuration.interfaces.compactMap(\.first) {
            guard setting.kind.interfaceClass == UInt8(LIBUSB_CLASS_MASS_STORAGE.rawValue) else { continue }
            if sysfs.exists {
                let driver = sysfs.driver(configuration: configuration.value, interface: setting.interface)
                guard driver == "usb-storage" || driver == "uas" else { continue }
            } else if libusb_kernel_driver_active(handle, CInt(setting.interface)) != 1 {
                continue
            }
            let code = libusb_detach_kernel_driver(handle, CInt(setting.interface))
            // "Not found": the driver or the device has just gone.
            guard code != LIBUSB_ERROR_NOT_FOUND.rawValue else { continue }
            try checked(code)
            detachedInterfaces.append(setting.interface)
        }
    }
}
