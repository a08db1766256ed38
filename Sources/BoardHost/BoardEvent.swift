public import RPiBoot
public import USBHost
public import USBLink

/// What a service reports while it works with boards.
public enum BoardEvent: Sendable {
    /// The selector's board of this kind is not there yet: the service waits for it.
    case waiting(BoardKind, DeviceSelector)
    /// Another process has the board at this port; the service looks for the next one. Told once per device.
    case passedOver(port: String)
    /// A boot directory no longer fits the tree that boards mount. Where nobody makes it anew, `command` does.
    case outdated(directory: String, tree: String, TreeChanges, command: [String]?)
    /// A boot directory is made by this command, which takes a while.
    case making(directory: String, _ command: [String])
    /// A Raspberry Pi in boot mode is open, and is loaded now; told in every stage.
    case found(BootDevice)
    /// What happens while it is loaded.
    case loading(BootDevice, BootEvent)
    /// Its bootloader has all that it wanted.
    case loaded(BootDevice, LoadedFiles)
    /// A board is open; its requests are answered from now on.
    case serving(Gadget)
    /// usb-storage or uas was taken off this interface of the board: it would reset the device.
    case storageDetached(interface: Int)
    /// What the link to the board has noticed.
    case notice(LinkNotice)
    /// The link has ended; what it has moved. Why it has ended follows, unless somebody asked for it.
    case served(LinkStatistics)
    /// The board goes on with files that an earlier process has served, and gets errors only. Told once.
    case staleMount
    /// The service ends, as it was asked to, while the board at this port has files mounted.
    case leftMount(port: String)
    /// A failure that the service survives: it looks for the next board, or for the same one again.
    case failed(BoardFailure)
}

/// The files that a bootloader has received.
public struct LoadedFiles: Hashable, Sendable {
    /// Files sent, each as often as it was.
    public var count: Int
    /// Their bytes.
    public var bytes: UInt64
    /// The names that it asked for and did not get, in that order, each once.
    public var missing: [String]
}
