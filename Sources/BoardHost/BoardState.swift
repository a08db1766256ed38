import RPiBoot
import USBLink

/// What a service does at the moment: the driver does it, and tells `BoardPlan` what came of it.
enum BoardState: Hashable {
    /// Looks for a board, or waits for one.
    case waiting
    /// Opens a Raspberry Pi in boot mode, and loads one stage of it.
    case loading(BootDevice, hasJustCome: Bool)
    /// Waits for the next stage of a Raspberry Pi, which enumerates anew at the same port; there may be none.
    case betweenStages(BootDevice, StageEnd, until: ContinuousClock.Instant)
    /// Opens a gadget, and answers its requests.
    case serving(Gadget, hasJustCome: Bool)
    /// Reports a failure, and goes on.
    case failed(BoardFailure)
    /// The end, with the failure; nil if the end was asked for.
    case ended(BoardFailure?)
}

/// How far a stage of a Raspberry Pi has come.
enum StageEnd: Hashable {
    /// The boot ROM runs what it got, and enumerates anew as something that asks for files.
    case bootcodeTaken
    /// The bootloader has all that it wants.
    case filesTaken
    /// It is gone without a word: it may come back with the next stage, or somebody pulled the cable.
    case vanished
}

/// What a look at the ports has found.
enum Sight: Hashable {
    case gadget(Gadget)
    case loadable(BootDevice)
    /// More than one matches.
    case several([Gadget], [BootDevice])
    /// Between stages: something else than a Raspberry Pi in boot mode is at the port, so that the board runs what it got.
    case running
}
