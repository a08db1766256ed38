import CommandSupport
import LinuxFiles
import RPiBoot
import USBHost

/// Takes boards through the stages of being loaded; belongs to one thread.
final class BoardLoader {
    let report: BootReport
    /// The device that was dealt with last at each port. It stays visible for a moment after that, or for long if it has
    /// not liked what it got; its next stage enumerates as another one.
    private var handled: [String: Int] = [:]

    init(_ report: BootReport) {
        self.report = report
    }

    /// How far a board has come.
    enum Progress {
        /// The boot ROM runs what it got, and enumerates anew as something that asks for files.
        case bootcodeTaken
        /// The bootloader has all that it wants.
        case filesTaken
        /// The bootloader is gone without a word: it may come back with the next stage, or somebody pulled the cable.
        case vanished
        case stopped
    }

    /// Whether the device has not been dealt with.
    func isNew(_ device: BootDevice) -> Bool { handled[device.path] != device.address }

    /// Opens a directory, and checks that something can be loaded from it.
    /// - Throws: `CommandFailure`: `.notFound`, `.permission`, or `.badInput` for what is no directory or is refused.
    static func open(_ path: String) throws(CommandFailure) -> BootDirectory {
        let directory: BootDirectory
        do throws(Errno) {
            directory = try BootDirectory(path)
        } catch {
            throw BootFailure.opening(path, error)
        }
        guard directory.chips.isEmpty else { return directory }
        throw BootFailure.nothingToLoad(directory)
    }

    /// Deals with one stage of a board.
    /// - Parameter hasJustCome: whether udev may still be busy with it.
    /// - Throws: `CommandFailure`; `.busy` if another process has the device's interface.
    func load(_ device: BootDevice, hasJustCome: Bool, until stop: StopRequest) throws(CommandFailure) -> Progress {
        let link: BootLink
        do throws(USBError) {
            link = try BootLink(device, patience: hasJustCome || device.hasYoungNode ? 10 : 1, until: stop)
        } catch {
            if stop.isRequested { return .stopped }
            if error == .noDevice {
                // It has gone again, or its device node is yet to come.
                pause(milliseconds: 250)
                return .vanished
            }
            throw BootFailure.opening(device, error)
        }
        handled[device.path] = device.address
        report.found(device)
        let report = report
        do throws(BootFailure) {
            switch device.stage {
            case .rom:
                try link.loadBootcode(from: report.directory, until: stop) { report.event($0, of: device) }
                return .bootcodeTaken
            case .fileServer:
                var server = FileServer(report.directory, chip: device.chip, port: device.path) {
                    report.event($0, of: device)
                }
                try link.serveFiles(&server, until: stop) { report.event($0, of: device) }
                report.loaded(device, server)
                return .filesTaken
            }
        } catch {
            switch error {
            case .stopped: return .stopped
            case .gone(during: nil): return .vanished
            default: throw error.failure(of: device, report.directory)
            }
        }
    }

    /// Whether something else than a Raspberry Pi in boot mode is at a port: the board runs what it got.
    func isRunning(at port: String) -> Bool {
        let device = SysfsDevice(path: port)
        guard let vendor = device.attribute("idVendor") else { return false }
        return UInt16(vendor, radix: 16) != BootChip.vendorID
    }
}

extension BootFailure {
    /// What a user is told.
    func failure(of device: BootDevice, _ directory: BootDirectory) -> CommandFailure {
        let again = "Take the board's power away, and begin again."
        switch self {
        case .stopped:
            return CommandFailure(.failure, "\(device.title): stopped", advice: again)
        case .gone(let name):
            return CommandFailure(
                .deviceGone,
                "\(device.title) is gone in the middle of \(printable(name ?? "its questions"))",
                advice: "A cable, a hub or too little power: a Raspberry Pi 5 wants a port that gives 900 mA."
            )
        case .notTaken(let what):
            return CommandFailure(
                .timeout,
                "\(device.title) does not take \(printable(what))",
                advice: again + " If it happens again, try another cable, or a port without a hub."
            )
        case .refused(let name, let status):
            return CommandFailure(
                .failure,
                "\(device.title) refuses \(printable(name)): status 0x\(String(status, radix: 16))",
                advice: "Is the file whole, for this processor, and signed if the board is locked? " + again
            )
        case .noBootcode(let chip):
            return Self.noBootcode(chip, directory)
        case .badBootcode(let refusal):
            return CommandFailure(
                .badInput,
                "\(device.title): can't send \(device.chip.bootcode): "
                    + refusal.reason(directory.path)
            )
        case .unreadable(let name, let error):
            return CommandFailure(
                .failure,
                "can't read \(ShellWord(directory.path + "/" + name)): \(error.text)",
                advice: again
            )
        case .changed(let name):
            return CommandFailure(
                .failure,
                "\(ShellWord(directory.path + "/" + name)) has become shorter while it was sent",
                advice: again + " Replace files by renaming new ones: mv boot.img.new boot.img"
            )
        case .malformed(let malformation):
            return CommandFailure(.failure, "\(device.title) \(malformation.sentence)", advice: again)
        case .usb(let error):
            return CommandFailure(.failure, "the USB transfers to \(device.title) fail: \(error)", advice: again)
        }
    }

    private static func noBootcode(_ chip: BootChip, _ directory: BootDirectory) -> CommandFailure {
        let chips = directory.chips.map(\.name).joined(separator: ", ")
        return CommandFailure(
            .notFound,
            "a \(chip.name) wants to be loaded, and there is no \(chip.bootcode) in \(ShellWord(directory.path))",
            advice: "Put it there, or as \(chip.directory)/\(chip.bootcode); it comes with raspberrypi/usbboot. "
                + "The directory is for: \(chips)."
        )
    }

    fileprivate static func nothingToLoad(_ directory: BootDirectory) -> CommandFailure {
        // There may be something that can't be sent: a link out of the directory, for example.
        for chip in BootChip.allCases {
            if case .refused(let refusal) = directory.find(chip.bootcode, for: chip, at: nil) {
                return CommandFailure(.badInput, "can't load a board: " + refusal.reason(directory.path))
            }
        }
        let names = BootChip.allCases.map(\.bootcode).joined(separator: ", ")
        return CommandFailure(
            .notFound,
            "there is nothing in \(ShellWord(directory.path)) to load a Raspberry Pi with: none of \(names), no \(BootDirectory.archiveName)",
            advice: "Raspberry Pi 4: bootcode4.bin; 5: bootcode5.bin or bootfiles.bin; older ones: bootcode.bin.\n"
                + "All come with raspberrypi/usbboot."
        )
    }

    fileprivate static func opening(_ path: String, _ error: Errno) -> CommandFailure {
        switch error {
        case .ENOENT: CommandFailure(.notFound, "there is no directory \(ShellWord(path))")
        case .ENOTDIR: CommandFailure(.badInput, "\(ShellWord(path)) is not a directory")
        case .EACCES: CommandFailure(.permission, "no permission to open the directory \(ShellWord(path))")
        default: CommandFailure(.failure, "can't open the directory \(ShellWord(path)): \(error.text)")
        }
    }

    fileprivate static func opening(_ device: BootDevice, _ error: USBError) -> CommandFailure {
        switch error {
        case .accessDenied:
            CommandFailure(
                .permission,
                "no permission to open \(device.node), the \(device.title)",
                advice: USBFailure.adviceForRules
            )
        case .busy:
            CommandFailure(
                .busy,
                "another process loads the \(device.title)",
                advice: "Find it with: fuser -v \(device.node)"
            )
        default:
            CommandFailure(.failure, "can't open the \(device.title): \(error)")
        }
    }
}

extension FileMessage.Malformation {
    fileprivate var sentence: String {
        switch self {
        case .truncated: "has sent a question of less than 4 bytes"
        case .unknownCommand(let command): "has sent command \(command), which this program doesn't know"
        case .endlessName: "has sent a file name that does not end"
        }
    }
}
