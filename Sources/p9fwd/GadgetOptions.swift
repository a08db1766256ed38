import ArgumentParser
import USBHost

/// The options that say which board is meant; allowed before and after the subcommand.
struct GadgetOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only a board with this USB id, such as 1d6b:0109.", valueName: "vid:pid"))
    var id: USBID?

    @Option(help: ArgumentHelp("Only the board at this USB port, such as 2-1.1.2.", valueName: "port"))
    var path: USBPort?

    @Option(help: ArgumentHelp("Only the board with this serial number.", valueName: "serial"))
    var serial: String?

    @Flag(name: .shortAndLong, help: "Show every message: -> from the board, <- to it.")
    var verbose: Int

    var selector: DeviceSelector { DeviceSelector(path: path?.path, serial: serial, id: id?.value) }
}

/// A USB id on the command line, such as "1d6b:0109".
struct USBID: ExpressibleByArgument {
    let value: DeviceID

    init?(argument: String) {
        guard let value = DeviceID(parsing: argument) else { return nil }
        self.value = value
    }
}

/// A USB port on the command line, such as "2-1.1.2": the bus, then the port of each hub on the way. A board is nowhere else,
/// so that something else, such as "usb2" or a device node, would be waited for without end.
struct USBPort: ExpressibleByArgument {
    let path: String

    init?(argument: String) {
        let parts = argument.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let numbers = [parts[0]] + parts[1].split(separator: ".", omittingEmptySubsequences: false)
        // Without leading zeros, as the kernel names it.
        guard numbers.allSatisfy({ text in UInt8(text).map { $0 > 0 && String($0) == text } ?? false }) else {
            return nil
        }
        path = argument
    }
}
