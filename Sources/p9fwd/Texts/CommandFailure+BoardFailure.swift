import BoardHost
import CommandSupport
import LinuxFiles
import RPiBoot
import USBHost
import USBLink

/// What a user is told of a service's failures.
extension CommandFailure {
    init(_ failure: BoardFailure) {
        switch failure {
        case .bootDirectory(let path, let error): self = .bootDirectory(path, error)
        case .nothingToLoad(let path, let refusal): self = .nothingToLoad(path, refusal)
        case .unnamedTree(let path): self = .unnamedTree(path)
        case .noBootScript(let places): self = .noBootScript(places)
        case .noCache: self = .noCache
        case .noManifest(let path): self = .noManifest(path)
        case .notMade(let path, let command, let said): self = .notMade(path, command, said)
        case .noUSB(let error): self = .noUSB(error)
        case .several(let gadgets, let loadable): self = .several(gadgets, loadable)
        case .timeout(let kind, let selector, let seconds): self = .timeout(kind, selector, seconds)
        case .portTaken(let port):
            self.init(
                .busy,
                "another process has the board at port \(printable(port))",
                advice: "Find it with: pgrep -a \(StandardError.programName)"
            )
        case .notOpened(let gadget, let error): self = .notOpened(gadget, error)
        case .notOpenedToLoad(let device, let error): self = .notOpened(device, error)
        case .gone(let gadget, let isMidRequest): self = .gone(gadget, isMidRequest)
        case .wedged(let gadget, let wedge): self = .wedged(gadget, wedge)
        case .transfersFail(let gadget, let error): self = .transfersFail(gadget, error)
        case .notLoaded(let device, let path, let failure): self = .notLoaded(device, path, failure)
        case .vanished(let device): self.init(.deviceGone, "\(device.title) is gone before it had all")
        case .notBack(let device, let seconds):
            self.init(
                .timeout,
                "\(device.title) has taken \(device.chip.bootcode), but has not come back within "
                    + seconds.formattedSeconds,
                advice: "Is the file for this board? Some of that name write the EEPROM and end there."
            )
        case .stoppedBeforeLoaded: self.init(.interrupted, "stopped before a board was loaded")
        }
    }
}

extension CommandFailure {
    static func noUSB(_ error: USBError) -> CommandFailure {
        CommandFailure(
            .failure,
            "can't look at the USB ports: \(error)",
            advice: "Is there a /dev/bus/usb? A container or virtual machine must be given the host's USB devices."
        )
    }

    static func several(_ gadgets: [Gadget], _ loadable: [BootDevice]) -> CommandFailure {
        let count = gadgets.count + loadable.count
        let message = "\(count) boards are plugged in; choose one with --path or --serial"
        guard let example = loadable.first?.path else {
            return CommandFailure(
                .badInput,
                message,
                advice: GadgetTable(gadgets).text + "For example: --path \(gadgets[0].path)"
            )
        }
        let ports = gadgets.map { "\($0.path)  a board that wants its files" } + loadable.map(\.title)
        return CommandFailure(
            .badInput,
            message,
            advice: ports.map { "  \($0)\n" }.joined() + "For example: --path \(example)"
        )
    }

    static func timeout(
        _ kind: BoardKind,
        _ selector: DeviceSelector,
        _ seconds: Double
    ) -> CommandFailure {
        let advice =
            switch kind {
            case .gadget:
                "\(StandardError.programName) list shows the boards that are there."
            case .loadable:
                "Raspberry Pi 5: hold the power button while you plug it in. Compute Modules: the nRPIBOOT jumper.\n"
                    + "lsusb -d 0a5c: shows what is there."
            }
        return CommandFailure(
            .timeout,
            "no \(kind.name)\(selector.phrase) appeared within \(seconds.formattedSeconds)",
            advice: advice
        )
    }
}
