import RPiBoot
import USBHost
import USBLink

/// Decides what a service does next: which boards count, how long to wait for them, and what a failure means.
///
/// A value without effects: the driver (`BoardDriver`) does what `state` says, and calls the method that fits the outcome.
struct BoardPlan {
    typealias Instant = ContinuousClock.Instant

    enum Purpose: Hashable {
        /// Load Raspberry Pis, one after the other.
        case load
        /// Serve one board; with `loads`, a Raspberry Pi in boot mode is loaded first, each time it is powered on.
        case serve(loads: Bool)
    }

    let purpose: Purpose
    /// Whether to end when one board was loaded, or has gone after it was served.
    let once: Bool
    /// How long the first board may take to appear, in seconds; nil is for ever.
    let timeout: Double?

    private(set) var state = BoardState.waiting
    /// Which boards count. Once one was served, or loaded to be served, it is the one at that port: it comes back there, with
    /// another id and perhaps another serial number.
    private(set) var selector: DeviceSelector
    /// When to give up waiting; nil is never.
    private(set) var deadline: Instant?
    /// What the board's session has negotiated, in bytes; 0 if there is none. A board that was unplugged and plugged in again
    /// while it was idle goes on without a Tversion.
    private(set) var msize = 0

    /// The device that was dealt with last at each port, by its address. It stays visible for a moment after that, or for long
    /// if it has refused what it got; its next stage enumerates as another one.
    private var handled: [String: Int] = [:]
    /// In the same way, the devices of other processes that reserve no ports.
    private var leftToOthers: [String: Int] = [:]
    /// Whether only one board counts from now on, among all that are plugged in.
    private var isSettled = false

    /// How long a boot ROM may need to come back as the next stage, in seconds.
    private static let bootcodePatience = 30.0
    /// How long a board that has its files may take to ask for more, in seconds: that of the oldest processors loads
    /// its firmware in one stage and the kernel in the next.
    private static let stagePatience = 5.0

    init(_ purpose: Purpose, _ selector: DeviceSelector, once: Bool, timeout: Double?, now: Instant) {
        self.purpose = purpose
        self.selector = selector
        self.once = once
        self.timeout = timeout
        deadline = timeout.map { now + .seconds($0) }
    }
}

// MARK: What to look for

extension BoardPlan {
    /// What is waited for.
    var kind: BoardKind { purpose == .load ? .loadable : .gadget }

    /// Whether Raspberry Pis in boot mode count.
    var loads: Bool { purpose != .serve(loads: false) }

    /// Whether to pass over boards that other processes have, instead of failing: as long as neither the user has named a
    /// board nor this process has had the one that it is to serve.
    var passesOver: Bool { loads && selector.path == nil && selector.serial == nil }

    /// What to look for in the present state.
    var search: BoardSearch {
        switch state {
        case .betweenStages(let device, _, let deadline):
            BoardSearch(gadgets: false, loadable: true, port: device.path, deadline: deadline)
        default:
            BoardSearch(gadgets: purpose != .load, loadable: loads, deadline: deadline)
        }
    }

    /// The part of a look that matters in the present state; nil if nothing does.
    /// - Parameter isFree: whether nobody else has a board, which is this process's then; asked where boards are passed over.
    func sight(of boards: AttachedBoards, isFree: (any AttachedDevice) -> Bool) -> Sight? {
        if case .betweenStages(let device, _, _) = state {
            if let next = boards.loadable.first(where: { $0.path == device.path && isNew($0) }) {
                return .loadable(next)
            }
            guard let vendor = boards.vendorAtPort, vendor != BootChip.vendorID else { return nil }
            return .running
        }
        func counts(_ device: some AttachedDevice) -> Bool {
            leftToOthers[device.path] != device.address && (!passesOver || isFree(device))
        }
        // Boards that are only loaded all get the same, one after the other: the user need not choose.
        if purpose == .load {
            return boards.loadable.first { selector.matches($0) && isNew($0) && counts($0) }.map(Sight.loadable)
        }
        // An id is the gadget's: a Raspberry Pi in boot mode has another one.
        let port = DeviceSelector(path: selector.path, serial: selector.serial)
        let gadgets = boards.gadgets.filter { selector.matches($0) && counts($0) }
        let loadable = boards.loadable.filter { port.matches($0) && isNew($0) && counts($0) }
        switch gadgets.count + loadable.count {
        case 0: return nil
        case 1: return gadgets.first.map(Sight.gadget) ?? .loadable(loadable[0])
        default: return .several(gadgets, loadable)
        }
    }

    /// The ports that stay this process's at a look, among them that of a board that had its turn and is still there.
    func portsToKeep(_ boards: AttachedBoards) -> [String] {
        var ports = boards.loadable.filter { !isNew($0) }.map(\.path)
        if let port = selector.path { ports.append(port) }
        if case .betweenStages(let device, _, _) = state { ports.append(device.path) }
        return ports
    }

    private func isNew(_ device: BootDevice) -> Bool { handled[device.path] != device.address }
}

// MARK: What came of it

extension BoardPlan {
    /// The ports were looked at.
    /// - Parameters:
    ///   - sight: nil if the search's time is over, or at a stop.
    ///   - hadToWait: whether it was not there at the first look.
    mutating func saw(_ sight: Sight?, hadToWait: Bool, isStopping: Bool) {
        if case .betweenStages(let device, let end, _) = state {
            if case .loadable(let next) = sight {
                state = .loading(next, hasJustCome: true)
            } else {
                allStagesEnded(device, end, isStopping: isStopping)
            }
            return
        }
        switch sight {
        case .gadget(let gadget):
            state = .serving(gadget, hasJustCome: hadToWait || isSettled)
        case .loadable(let device):
            msize = 0
            state = .loading(device, hasJustCome: hadToWait || isSettled)
        case .several(let gadgets, let loadable):
            state = .ended(.several(gadgets, loadable))
        case .running, nil:
            if isStopping { return stop() }
            state = .ended(.timeout(kind, selector, seconds: timeout ?? 0))
        }
    }

    /// The current board is open.
    mutating func opened() {
        switch state {
        case .loading(let device, _): handled[device.path] = device.address
        case .serving(let gadget, _):
            settle(at: gadget.path)
            deadline = nil
        default: break
        }
    }

    /// The current board can't be opened.
    /// - Returns: whether it is left to another process, which has it.
    mutating func notOpened(_ error: USBError, now: Instant) -> Bool {
        switch state {
        case .loading(let device, _):
            if error == .busy, passesOver { return leave(device) }
            // It has gone again, or its device node is yet to come.
            if error == .noDevice {
                stageEnded(.vanished, now: now)
            } else {
                notLoaded(.notOpenedToLoad(device, error), now: now)
            }
        case .serving(let gadget, _):
            if error == .busy, passesOver { return leave(gadget) }
            if error == .noDevice, !once { state = .waiting } else { fail(.notOpened(gadget, error)) }
        default: break
        }
        return false
    }

    /// A Raspberry Pi has received what its stage wants.
    mutating func stageEnded(_ end: StageEnd, now: Instant) {
        guard case .loading(let device, _) = state else { return }
        guard purpose != .load else {
            let patience = end == .bootcodeTaken ? Self.bootcodePatience : Self.stagePatience
            state = .betweenStages(device, end, until: now + .seconds(patience))
            return
        }
        // Its next stage, or the gadget, is looked for like any board that comes back.
        settle(at: device.path)
        beginTimeAnew(now)
        state = end == .vanished ? .failed(.vanished(device)) : .waiting
    }

    /// A Raspberry Pi could not be loaded.
    mutating func notLoaded(_ failure: BoardFailure, now: Instant) {
        guard case .loading(let device, _) = state else { return }
        if purpose == .load {
            deadline = nil
        } else {
            settle(at: device.path)
            beginTimeAnew(now)
        }
        fail(failure)
    }

    /// The link to the current gadget has ended.
    /// - Parameter msize: what was negotiated, in bytes.
    mutating func linkEnded(_ end: LinkEnd, msize: Int) {
        guard case .serving(let gadget, _) = state else { return }
        self.msize = msize
        switch end {
        case .stopped: stop()
        case .gone(let isMidRequest): fail(.gone(gadget, midRequest: isMidRequest))
        case .wedged(let wedge): fail(.wedged(gadget, wedge))
        case .failed(let error): fail(.transfersFail(gadget, error))
        }
    }

    /// The failure was reported.
    mutating func goOn() { state = .waiting }

    /// Somebody asked for the end.
    mutating func stop() {
        // A caller that waits for one board must not take it for loaded.
        state = .ended(purpose == .load && once ? .stoppedBeforeLoaded : nil)
    }

    /// The service can't go on.
    mutating func end(_ failure: BoardFailure) { state = .ended(failure) }

    private mutating func allStagesEnded(_ device: BootDevice, _ end: StageEnd, isStopping: Bool) {
        deadline = nil
        switch end {
        case .filesTaken: state = once ? .ended(nil) : .waiting
        case _ where isStopping: stop()
        case .bootcodeTaken: fail(.notBack(device, seconds: Self.bootcodePatience))
        case .vanished: fail(.vanished(device))
        }
    }

    private mutating func fail(_ failure: BoardFailure) {
        state = once || failure.isLasting ? .ended(failure) : .failed(failure)
    }

    private mutating func leave(_ device: some AttachedDevice) -> Bool {
        leftToOthers[device.path] = device.address
        state = .waiting
        return true
    }

    /// The board has come one step further. One that was served once is waited for as long as it takes.
    private mutating func beginTimeAnew(_ now: Instant) {
        guard deadline != nil else { return }
        deadline = timeout.map { now + .seconds($0) }
    }

    private mutating func settle(at port: String) {
        if purpose == .load { return }
        selector = DeviceSelector(path: port)
        isSettled = true
    }
}
