internal import LinuxFiles
public import RPiBoot
public import USBHost
public import USBLink

/// The USB ports of this machine, by libusb and sysfs.
public struct USBBoardBus: BoardBus {
    /// The ports of this machine.
    public init() {}

    /// The monotonic clock.
    public var now: ContinuousClock.Instant { .now }

    /// As `BoardBus.wait`, by `PortWatch`.
    /// - Throws: as `PortWatch.wait`.
    public func wait<Found>(
        for search: BoardSearch,
        until stop: StopRequest,
        look: (AttachedBoards) -> Found?
    ) throws(USBError) -> Found? {
        try PortWatch.wait(until: search.deadline, stop: stop) { (context) throws(USBError) -> Found? in
            look(
                AttachedBoards(
                    gadgets: search.gadgets ? try context.gadgets() : [],
                    loadable: search.loadable ? try context.bootDevices() : [],
                    vendorAtPort: search.port.flatMap(SysfsDevice.vendorID)
                )
            )
        }
    }

    /// As `BoardBus.reserve`, by a lock that other processes see.
    public func reserve(port: String) -> PortReservation? { PortReservation(port: port) }

    /// As `BoardBus.open`; waits a few seconds for permission if the board has just come.
    /// - Throws: `USBError.accessDenied`, `.busy` if another process has the interface, `.noDevice`.
    public func open(
        _ gadget: Gadget,
        msize: Int,
        hasJustCome: Bool,
        until stop: StopRequest
    ) throws(USBError) -> GadgetLink {
        try GadgetLink(gadget, msize: msize, patience: Self.patience(gadget, hasJustCome), until: stop)
    }

    /// As `BoardBus.open`; waits a few seconds for permission if the board has just come.
    /// - Throws: as for a gadget.
    public func open(_ device: BootDevice, hasJustCome: Bool, until stop: StopRequest) throws(USBError) -> BootLink {
        try BootLink(device, patience: Self.patience(device, hasJustCome), until: stop)
    }

    /// As `BoardBus.pause`.
    public func pause(milliseconds: Int) { System.sleep(milliseconds: CInt(milliseconds)) }

    /// How long to wait for permission, in seconds: udev may be busy with all that came with the board.
    private static func patience(_ device: some AttachedDevice, _ hasJustCome: Bool) -> Double {
        hasJustCome || device.hasYoungNode ? 10 : 1
    }
}

extension SysfsDevice {
    /// The vendor id of the device at a port; nil if there is none, or no sysfs.
    fileprivate static func vendorID(at port: String) -> UInt16? {
        SysfsDevice(path: port).attribute("idVendor").flatMap { UInt16($0, radix: 16) }
    }
}

extension GadgetLink: BoardLink {}
extension BootLink: BoardLoader {}
extension PortReservation: BoardReservation {}
