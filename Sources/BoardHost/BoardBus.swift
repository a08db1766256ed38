public import RPiBoot
public import USBHost
public import USBLink

/// What a service does with the USB ports of this machine: libusb does it, and tests play it.
///
/// Belongs to the service's thread. Every wait ends when the `StopRequest` is made.
public protocol BoardBus {
    associatedtype Link: BoardLink
    associatedtype Loader: BoardLoader
    associatedtype Reservation: BoardReservation

    /// The clock that searches wait by.
    var now: ContinuousClock.Instant { get }

    /// Calls `look` with what is plugged in, at once and whenever that may have changed, until it returns something.
    /// - Returns: nil if the search's time is over, or at a stop.
    /// - Throws: what listing the devices says.
    func wait<Found>(
        for search: BoardSearch,
        until stop: StopRequest,
        look: (AttachedBoards) -> Found?
    ) throws(USBError) -> Found?

    /// Keeps a port from other services until the object goes away.
    /// - Returns: nil if another one has it.
    func reserve(port: String) -> Reservation?

    /// Opens a board and claims its interface.
    /// - Parameters:
    ///   - msize: what the board's session has negotiated, in bytes; 0 if it has none.
    ///   - hasJustCome: whether udev may still be busy with it, so that a lack of permission may pass.
    /// - Throws: `USBError.accessDenied`, `.busy` if another process has the interface, `.noDevice`.
    func open(_ gadget: Gadget, msize: Int, hasJustCome: Bool, until stop: StopRequest) throws(USBError) -> Link

    /// The same for a Raspberry Pi in boot mode.
    /// - Throws: as for a gadget.
    func open(_ device: BootDevice, hasJustCome: Bool, until stop: StopRequest) throws(USBError) -> Loader

    /// Lets time pass.
    func pause(milliseconds: Int)
}

/// A link to a board that is open; see `GadgetLink`.
public protocol BoardLink: AnyObject {
    /// The interfaces of the device that lost usb-storage or uas.
    var detachedInterfaces: [Int] { get }
    /// The negotiated msize in bytes; 0 before the first Tversion.
    var msize: Int { get }
    var statistics: LinkStatistics { get }
    /// Called with every request and every reply.
    var trace: ((GadgetLink.Direction, RawSpan) -> Void)? { get set }
    /// Called with what went wrong.
    var notify: ((LinkNotice) -> Void)? { get set }

    /// Answers requests until the link ends; called once.
    func run(answering responder: some Responder, until stop: StopRequest) -> LinkEnd
}

/// A Raspberry Pi in boot mode that is open; see `BootLink`.
public protocol BoardLoader {
    /// Sends the boot ROM its file.
    /// - Throws: `BootFailure`, such as `.noBootcode`, `.refused`, `.gone` or `.stopped`.
    func loadBootcode(
        from directory: BootDirectory,
        until stop: StopRequest,
        notify: (BootEvent) -> Void
    ) throws(BootFailure)

    /// Answers the bootloader's questions until it is done.
    func serveFiles(_ server: inout FileServer, until stop: StopRequest, notify: (BootEvent) -> Void)
        throws(BootFailure)
}

/// A port that other services keep away from; see `PortReservation`.
public protocol BoardReservation {
    /// Whether it still holds: a hub that was unplugged comes back with new ports.
    var isHeld: Bool { get }
}

/// What to look for at the USB ports, and until when.
public struct BoardSearch: Hashable, Sendable {
    /// Whether to list gadgets.
    public var gadgets: Bool
    /// Whether to list Raspberry Pis in boot mode.
    public var loadable: Bool
    /// The port whose device's vendor is of interest, for any kind of device.
    public var port: String?
    /// Nil waits for ever.
    public var deadline: ContinuousClock.Instant?
}

/// What is plugged in, as far as a search asks for it.
public struct AttachedBoards: Hashable, Sendable {
    /// The gadgets, by bus and port.
    public var gadgets: [Gadget]
    /// The Raspberry Pis in boot mode, by bus and port.
    public var loadable: [BootDevice]
    /// The vendor id of what is at the search's port; nil if nothing is there.
    public var vendorAtPort: UInt16?

    /// The boards that are plugged in.
    public init(gadgets: [Gadget] = [], loadable: [BootDevice] = [], vendorAtPort: UInt16? = nil) {
        self.gadgets = gadgets
        self.loadable = loadable
        self.vendorAtPort = vendorAtPort
    }
}
