import RPiBoot
import USBHost
import USBLink

/// Does what a plan says, and tells it the outcome. Belongs to the thread that calls `run`.
final class BoardDriver<Bus: BoardBus> {
    private(set) var plan: BoardPlan
    private let files: BootFiles?
    /// What boards are being loaded from, by processor: the same for both stages.
    private var directories: [BootChip: BootDirectory] = [:]
    private let bus: Bus
    private let stop: StopRequest
    private let report: (BoardEvent) -> Void
    /// Nil where nothing is loaded: a service that only answers gadgets reserves no ports.
    private let ports: PortShare<Bus.Reservation>?

    init(
        _ plan: BoardPlan,
        _ files: BootFiles?,
        bus: Bus,
        until stop: StopRequest,
        report: @escaping (BoardEvent) -> Void
    ) {
        self.plan = plan
        self.files = files
        self.bus = bus
        self.stop = stop
        self.report = report
        ports =
            plan.loads
            ? PortShare(reserve: { bus.reserve(port: $0) }, tell: { report(.passedOver(port: $0)) }) : nil
    }

    /// Runs until the plan's end.
    /// - Parameter answer: answers a board's requests until the link ends.
    /// - Throws: what the plan ends with.
    func run(_ answer: (Bus.Link) -> LinkEnd) throws(BoardFailure) {
        if let port = plan.selector.path { hold(port) }
        while true {
            switch plan.state {
            case .waiting, .betweenStages:
                look()
            case .loading(let device, let hasJustCome):
                load(device, hasJustCome)
            case .serving(let gadget, let hasJustCome):
                serve(gadget, hasJustCome, answer)
            case .failed(let failure):
                report(.failed(failure))
                if failure.rest > 0 { bus.pause(milliseconds: failure.rest) }
                plan.goOn()
            case .ended(let failure):
                if let failure { throw failure }
                return
            }
        }
    }

    /// Looks at the ports until something is there that the plan wants.
    private func look() {
        var hadToWait = false
        let sight: Sight?
        do throws(USBError) {
            sight = try bus.wait(for: plan.search, until: stop) { boards in
                ports?.release(except: plan.portsToKeep(boards))
                let sight = plan.sight(of: boards) { ports?.take($0) ?? true }
                if sight == nil, !hadToWait {
                    hadToWait = true
                    if plan.state == .waiting { report(.waiting(plan.kind, plan.selector)) }
                }
                return sight
            }
        } catch {
            return plan.end(.noUSB(error))
        }
        plan.saw(sight, hadToWait: hadToWait, isStopping: stop.isRequested)
    }

    /// Opens a Raspberry Pi in boot mode, and takes it through the stage that it is in.
    private func load(_ device: BootDevice, _ hasJustCome: Bool) {
        guard hold(device.path) else { return }
        guard let bootDirectory = directory(for: device) else { return }
        let opened = open(device) { () throws(USBError) in
            try bus.open(device, hasJustCome: hasJustCome, until: stop)
        }
        guard let loader = opened else { return }
        report(.found(device))
        let notify = { [report] (event: BootEvent) in report(.loading(device, event)) }
        do throws(BootFailure) {
            switch device.stage {
            case .rom:
                try loader.loadBootcode(from: bootDirectory, until: stop, notify: notify)
                plan.stageEnded(.bootcodeTaken, now: bus.now)
            case .fileServer:
                var server = FileServer(bootDirectory, chip: device.chip, port: device.path, notify: notify)
                try loader.serveFiles(&server, until: stop, notify: notify)
                report(.loaded(device, LoadedFiles(server)))
                plan.stageEnded(.filesTaken, now: bus.now)
            }
        } catch {
            switch error {
            case .stopped: plan.stop()
            case .gone(during: nil): plan.stageEnded(.vanished, now: bus.now)
            default: plan.notLoaded(.notLoaded(device, directory: bootDirectory.path, error), now: bus.now)
            }
        }
    }

    /// What to load a board from; a failure goes to the plan.
    private func directory(for device: BootDevice) -> BootDirectory? {
        guard let files else { preconditionFailure("nothing is loaded without files") }
        if device.stage == .fileServer, let directory = directories[device.chip] { return directory }
        do throws(BoardFailure) {
            let directory = try files.directory(for: device.chip, until: stop, report: report)
            directories[device.chip] = directory
            return directory
        } catch {
            if stop.isRequested { plan.stop() } else { plan.end(error) }
            return nil
        }
    }

    /// Opens a gadget, and has its requests answered until the link ends.
    private func serve(_ gadget: Gadget, _ hasJustCome: Bool, _ answer: (Bus.Link) -> LinkEnd) {
        guard hold(gadget.path) else { return }
        let opened = open(gadget) { () throws(USBError) in
            try bus.open(gadget, msize: plan.msize, hasJustCome: hasJustCome, until: stop)
        }
        guard let link = opened else { return }
        report(.serving(gadget))
        for interface in link.detachedInterfaces { report(.storageDetached(interface: interface)) }
        let end = answer(link)
        report(.served(link.statistics))
        plan.linkEnded(end, msize: link.msize)
    }

    /// Opens the current device; a failure goes to the plan.
    private func open<Opened>(_ device: some AttachedDevice, _ body: () throws(USBError) -> Opened) -> Opened? {
        do throws(USBError) {
            let opened = try body()
            plan.opened()
            return opened
        } catch {
            if stop.isRequested {
                plan.stop()
                return nil
            }
            // It has gone again, or its device node is yet to come: not to be looked for at once.
            if error == .noDevice { bus.pause(milliseconds: 250) }
            if plan.notOpened(error, now: bus.now) { ports?.leave(device) }
            return nil
        }
    }

    /// Reserves the port of the board that is meant, where ports are reserved.
    /// - Returns: false if another process has it, which is the end.
    @discardableResult
    private func hold(_ port: String) -> Bool {
        guard let ports, !ports.reserve(port) else { return true }
        plan.end(.portTaken(port))
        return false
    }
}

extension LoadedFiles {
    fileprivate init(_ server: FileServer) {
        self.init(count: server.filesSent, bytes: server.bytesSent, missing: server.missing)
    }
}
