public import LinuxFiles
public import RPiBoot
public import USBHost
public import USBLink

/// Why a service has ended, or what it survived: see `BoardEvent.failed`.
public enum BoardFailure: Error, Hashable, Sendable {
    /// The directory to load from, as the user gave it, can't be opened.
    case bootDirectory(String, Errno)
    /// The directory has nothing to load a Raspberry Pi with; says why, if it has something that can't be sent.
    case nothingToLoad(directory: String, BootDirectory.Refusal?)
    /// The tree that boards mount has no path that can be told to another program.
    case unnamedTree(String)
    /// There is no `scripts/boot/rpi` in any of these directories.
    case noBootScript([String])
    /// There is no directory for what can be made again: neither HOME nor XDG_CACHE_HOME is set.
    case noCache
    /// `scripts/boot/rpi` has not made this directory, so that it can't be made anew.
    case noManifest(String)
    /// This command, which makes a boot directory, has failed, and has said this.
    case notMade(directory: String, _ command: [String], said: String)
    /// libusb can't list what is plugged in.
    case noUSB(USBError)
    /// More than one board is meant: the user must choose.
    case several([Gadget], [BootDevice])
    /// No board of this kind appeared in this many seconds.
    case timeout(BoardKind, DeviceSelector, seconds: Double)
    /// Another process has reserved the port.
    case portTaken(String)
    /// The board can't be opened, or its interface can't be claimed.
    case notOpened(Gadget, USBError)
    /// The same of a Raspberry Pi in boot mode.
    case notOpenedToLoad(BootDevice, USBError)
    /// The device is gone: see `LinkEnd.gone`.
    case gone(Gadget, midRequest: Bool)
    /// The board must be rebooted: see `LinkEnd.wedged`.
    case wedged(Gadget, LinkEnd.Wedge)
    /// A transfer failed, and the device is still there.
    case transfersFail(Gadget, USBError)
    /// A Raspberry Pi can't be loaded from the directory.
    case notLoaded(BootDevice, directory: String, BootFailure)
    /// A Raspberry Pi has gone without a word, before it had all that it wanted.
    case vanished(BootDevice)
    /// A Raspberry Pi has taken its boot code, but its next stage has not appeared in this many seconds.
    case notBack(BootDevice, seconds: Double)
    /// Somebody asked for the end before the one board that is to be loaded was.
    case stoppedBeforeLoaded
}

/// What a service can wait for.
public enum BoardKind: Hashable, Sendable {
    /// A board that wants its files; with a directory to load from, a Raspberry Pi in boot mode too.
    case gadget
    /// A Raspberry Pi in boot mode.
    case loadable
}

extension BoardFailure {
    /// Whether it ends the service: what is wrong with the directory, the permission or the choice stays wrong.
    var isLasting: Bool {
        switch self {
        case .gone, .wedged, .transfersFail, .vanished, .notBack: false
        case .notLoaded(_, _, .noBootcode), .notLoaded(_, _, .badBootcode): true
        case .notLoaded: false
        case .notOpenedToLoad(_, let error): error == .accessDenied || error == .busy
        default: true
        }
    }

    /// How long to rest before the next look, in milliseconds: a device that fails at once must not keep a processor busy.
    var rest: Int {
        switch self {
        case .wedged, .transfersFail, .notOpenedToLoad: 1000
        default: 0
        }
    }
}
