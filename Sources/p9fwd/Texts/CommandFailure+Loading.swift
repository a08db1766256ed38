import CommandSupport
import LinuxFiles
import RPiBoot
import USBHost

/// What a user is told when a Raspberry Pi can't be loaded.
extension CommandFailure {
    static func bootDirectory(_ path: String, _ error: Errno) -> CommandFailure {
        switch error {
        case .ENOENT: CommandFailure(.notFound, "there is no directory \(ShellWord(path))")
        case .ENOTDIR: CommandFailure(.badInput, "\(ShellWord(path)) is not a directory")
        case .EACCES: CommandFailure(.permission, "no permission to open the directory \(ShellWord(path))")
        default: CommandFailure(.failure, "can't open the directory \(ShellWord(path)): \(error.text)")
        }
    }

    static func nothingToLoad(_ path: String, _ refusal: BootDirectory.Refusal?) -> CommandFailure {
        if let refusal { return CommandFailure(.badInput, "can't load a board: " + refusal.reason(path)) }
        let names = BootChip.allCases.map(\.bootcode).joined(separator: ", ")
        return CommandFailure(
            .notFound,
            "there is nothing in \(ShellWord(path)) to load a Raspberry Pi with: none of \(names), no \(BootDirectory.archiveName)",
            advice: "Raspberry Pi 4: bootcode4.bin; 5: bootcode5.bin or bootfiles.bin; older ones: bootcode.bin.\n"
                + "All come with raspberrypi/usbboot."
        )
    }

    static func notOpened(_ device: BootDevice, _ error: USBError) -> CommandFailure {
        switch error {
        case .accessDenied:
            CommandFailure(
                .permission,
                "no permission to open \(device.node), the \(device.title)",
                advice: adviceForRules
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

    static func notLoaded(_ device: BootDevice, _ path: String, _ failure: BootFailure) -> CommandFailure {
        let again = "Take the board's power away, and begin again."
        return switch failure {
        case .stopped:
            CommandFailure(.failure, "\(device.title): stopped", advice: again)
        case .gone(let name):
            CommandFailure(
                .deviceGone,
                "\(device.title) is gone in the middle of \(printable(name ?? "its questions"))",
                advice: "A cable, a hub or too little power: a Raspberry Pi 5 wants a port that gives 900 mA."
            )
        case .notTaken(let what):
            CommandFailure(
                .timeout,
                "\(device.title) does not take \(printable(what))",
                advice: again + " If it happens again, try another cable, or a port without a hub."
            )
        case .refused(let name, let status):
            CommandFailure(
                .failure,
                "\(device.title) refuses \(printable(name)): status 0x\(String(status, radix: 16))",
                advice: "Is the file whole, for this processor, and signed if the board is locked? " + again
            )
        case .noBootcode(let chip, let others):
            CommandFailure(
                .notFound,
                "a \(chip.name) wants to be loaded, and there is no \(chip.bootcode) in \(ShellWord(path))",
                advice: "Put it there, or as \(chip.directory)/\(chip.bootcode); it comes with raspberrypi/usbboot. "
                    + "The directory is for: \(others.map(\.name).joined(separator: ", "))."
            )
        case .badBootcode(let refusal):
            CommandFailure(
                .badInput,
                "\(device.title): can't send \(device.chip.bootcode): " + refusal.reason(path)
            )
        case .unreadable(let name, let error):
            CommandFailure(.failure, "can't read \(ShellWord(path + "/" + name)): \(error.text)", advice: again)
        case .changed(let name):
            CommandFailure(
                .failure,
                "\(ShellWord(path + "/" + name)) has become shorter while it was sent",
                advice: again + " Replace files by renaming new ones: mv boot.img.new boot.img"
            )
        case .malformed(let malformation):
            CommandFailure(.failure, "\(device.title) \(malformation.sentence)", advice: again)
        case .usb(let error):
            CommandFailure(.failure, "the USB transfers to \(device.title) fail: \(error)", advice: again)
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
