import CommandSupport
import RPiBoot
import USBHost

/// Loads boards: waits for one, takes it through its stages, and waits again.
struct BootService: Sendable {
    var selector: DeviceSelector
    /// Whether to end when one board is loaded.
    var once: Bool
    /// How long to wait for the first board, in seconds; nil is for ever.
    var timeout: Double?

    /// How long a boot ROM may need to come back as the next stage, in seconds.
    private static let bootcodePatience = 30.0
    /// How long a board that has got its files may take to ask for more, in seconds: that of the oldest processors loads
    /// its firmware in one stage and the kernel in the next.
    private static let stagePatience = 5.0

    /// Runs until one board is loaded (with `once`) or a signal asks for the end.
    /// - Parameter makeReport: called once, on the board's thread.
    func run(makeReport: @escaping @Sendable () -> BootReport) throws {
        try BoardThread.run { stop in try serve(makeReport(), until: stop) }
    }

    private func serve(_ report: BootReport, until stop: StopRequest) throws {
        let loader = BoardLoader(report)
        let ports = try PortShare(selector, tell: report.passedOver)
        var deadline = timeout.map { ContinuousClock.now + .seconds($0) }
        while let (device, waited) = try find(loader, ports, deadline, stop) {
            try ports.reserve(device.path)
            do throws(CommandFailure) {
                if try take(device, waited, loader, stop), once { return }
                deadline = nil
            } catch {
                if error.cause == .busy, ports.passesOver {
                    ports.leave(device)
                    continue
                }
                deadline = nil
                // What is wrong with the directory stays wrong.
                switch error.cause {
                case .notFound, .permission, .busy, .badInput: throw error
                default: if once { throw error }
                }
                report.tell(error)
            }
        }
        // Who waits for one board must not take it for loaded.
        if once { throw CommandFailure(.interrupted, "stopped before a board was loaded") }
    }

    /// Takes one board through all its stages.
    /// - Returns: whether it is loaded; false if a stop was asked for before that.
    private func take(
        _ first: BootDevice,
        _ waited: Bool,
        _ loader: BoardLoader,
        _ stop: StopRequest
    ) throws(CommandFailure) -> Bool {
        var device = first
        var hasJustCome = waited
        while true {
            let progress = try loader.load(device, hasJustCome: hasJustCome, until: stop)
            let patience = progress == .bootcodeTaken ? Self.bootcodePatience : Self.stagePatience
            if progress == .stopped { return false }
            if let next = try nextStage(of: device, loader, patience, stop) {
                device = next
                hasJustCome = true
                continue
            }
            switch progress {
            case .filesTaken: return true
            case .stopped: return false
            case _ where stop.isRequested: return false
            case .bootcodeTaken:
                throw CommandFailure(
                    .timeout,
                    "\(device.title) has taken \(device.chip.bootcode), but has not come back within "
                        + Self.bootcodePatience.formattedSeconds,
                    advice: "Is the file for this board? Some of that name write the EEPROM and end there."
                )
            case .vanished:
                throw CommandFailure(.deviceGone, "\(device.title) is gone before it had all")
            }
        }
    }

    /// Waits for a board's next stage.
    /// - Returns: nil if it does not come, or something else is there already.
    private func nextStage(
        of device: BootDevice,
        _ loader: BoardLoader,
        _ patience: Double,
        _ stop: StopRequest
    ) throws(CommandFailure) -> BootDevice? {
        enum Sight {
            case stage(BootDevice)
            case running
        }
        do throws(USBError) {
            let sight = try PortWatch.wait(until: .now + .seconds(patience), stop: stop) {
                (context) throws(USBError) -> Sight? in
                let next = try context.bootDevices().first { $0.path == device.path && loader.isNew($0) }
                if let next { return .stage(next) }
                return loader.isRunning(at: device.path) ? .running : nil
            }
            if case .stage(let next) = sight { return next }
            return nil
        } catch {
            throw USBFailure.noUSB(error)
        }
    }

    /// Finds the next board, or waits for it; nil if the service is to stop.
    /// - Returns: the board, and whether it came while this waited.
    private func find(
        _ loader: BoardLoader,
        _ ports: PortShare,
        _ deadline: ContinuousClock.Instant?,
        _ stop: StopRequest
    ) throws(CommandFailure) -> (BootDevice, Bool)? {
        let selector = selector
        func look(_ context: USBContext) throws(USBError) -> BootDevice? {
            let devices = try context.bootDevices()
            // A board that had its turn and is still there is no other process's either.
            ports.release(except: devices.filter { !loader.isNew($0) }.map(\.path) + [selector.path].compactMap { $0 })
            // All get the same, one after the other: there is nothing to choose.
            return devices.first { selector.matches($0) && loader.isNew($0) && (!ports.passesOver || ports.take($0)) }
        }
        if stop.isRequested { return nil }
        do throws(USBError) {
            if let found = try look(USBContext()) { return (found, false) }
            loader.report.say("waiting for a Raspberry Pi in boot mode\(selector.phrase)")
            if let found = try PortWatch.wait(until: deadline, stop: stop, look: look) { return (found, true) }
        } catch {
            throw USBFailure.noUSB(error)
        }
        if stop.isRequested { return nil }
        throw CommandFailure(
            .timeout,
            "no Raspberry Pi in boot mode\(selector.phrase) appeared within \((timeout ?? 0).formattedSeconds)",
            advice:
                "Raspberry Pi 5: hold the power button while you plug it in. Compute Modules: the nRPIBOOT jumper.\n"
                + "lsusb -d 0a5c: shows what is there."
        )
    }
}
