import BoardHost
import CommandSupport
import LinuxFiles
import RPiBoot
import USBHost
import USBLink

// What boards and what happens to them are called, in messages and in JSON.

extension Gadget {
    /// "the board at port 1-1.3".
    var name: String { "the board at port \(path)" }

    /// What the gadget calls itself, such as "Pengutronix e.K. 9PFS Gadget", or its id.
    var title: String {
        let names = [manufacturer, product].compactMap { $0 }
        return names.isEmpty ? id : printable(names.joined(separator: " "))
    }

    /// The board as `list --json` shows it; the keys are stable.
    var json: JSONValue {
        .object([
            ("bus", .integer(bus)),
            ("address", .integer(address)),
            ("manufacturer", JSONValue(manufacturer)),
            ("product", JSONValue(product)),
            ("serial", JSONValue(serial)),
            ("id", .string(id)),
            ("path", .string(path)),
            ("node", .string(node)),
            ("accessible", .bool(isAccessible)),
            ("speed", .integer(speed.rawValue)),
            ("interface", .integer(bulk.interface)),
            ("max_packet_size", .integer(bulk.maxPacketSize)),
        ])
    }
}

extension BootDevice {
    /// "1-1: BCM2711 boot ROM".
    var title: String { "\(path): \(chip.name) " + (stage == .rom ? "boot ROM" : "bootloader") }

    /// What `--json` says of it; the keys are stable.
    var members: [(key: String, value: JSONValue)] {
        [
            ("path", .string(path)), ("model", .string(chip.name)),
            ("stage", stage == .rom ? "rom" : "files"), ("serial", JSONValue(serial)), ("id", .string(id)),
            ("node", .string(node)), ("accessible", .bool(isAccessible)),
        ]
    }
}

extension BootDirectory.Refusal {
    /// Why a file was not sent, and what to do.
    func reason(_ directory: String) -> String {
        switch self {
        case .outside(let name):
            "\(printable(name)) leads out of \(ShellWord(directory)); if it is a symbolic link: "
                + "cp -rL \(ShellWord(directory)) COPY, and serve that"
        case .notAFile(let name): "\(printable(name)) is not a regular file"
        case .tooLarge(let name): "\(printable(name)) is larger than a board can take, 2 GiB"
        case .unreadable(let name, let error): "can't read \(ShellWord(directory + "/" + name)): \(error.text)"
        case .damagedArchive:
            "\(ShellWord(directory + "/" + BootDirectory.archiveName)) is not a tar archive, or it is damaged"
        }
    }
}

extension BoardKind {
    /// "board".
    var name: String { self == .loadable ? "Raspberry Pi in boot mode" : "board" }
}

extension DeviceSelector {
    /// The description with a space before it, or nothing.
    var phrase: String { description.isEmpty ? "" : " " + description }
}

extension LinkNotice {
    var sentence: String {
        switch self {
        case .requestRefused(.malformed):
            "the board sent a malformed message, which was refused; if the board hangs, reboot it"
        case .requestRefused(.tooLong):
            "the board sent a message that is longer than it may be, which was refused; if the board hangs, reboot it"
        case .replyReplaced(let type):
            "the server's reply to a message of type \(type) was not valid; the board got an I/O error instead"
        case .noMemory(let msize):
            "no memory for USB transfers of msize \(msize): mount with a smaller msize, or raise "
                + "/sys/module/usbcore/parameters/usbfs_memory_mb"
        case .notMounted:
            "waiting for the board to mount"
        case .replyTooLate:
            "the board had given a request up before its reply was there; it did not get the reply"
        }
    }
}

extension Double {
    /// Seconds for a sentence, such as "5 seconds" and "0.5 seconds".
    var formattedSeconds: String {
        self == rounded() && magnitude < 1e9 ? "\(Int(self)) second\(self == 1 ? "" : "s")" : "\(self) seconds"
    }
}
