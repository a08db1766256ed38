import CommandSupport
import LinuxFiles
import RPiBoot
import USBHost

/// Tells how boards are loaded: people in lines on standard error, programs in events on standard output.
final class BootReport {
    let directory: BootDirectory
    private let verbose: Bool
    private let events: EventStream?

    /// - Parameter events: for programs; nil tells people.
    init(_ directory: BootDirectory, verbose: Bool, events: EventStream? = nil) {
        self.directory = directory
        self.verbose = verbose
        self.events = events
    }

    func say(_ text: String) {
        if events == nil { StandardError.say(text) }
    }

    /// Tells of a failure that does not end the program.
    func tell(_ failure: CommandFailure) {
        if let events {
            _ = events.failure(failure)
            return
        }
        StandardError.tell(failure)
    }

    /// Tells of a board that is left to the process that has it.
    func passedOver(_ port: String) {
        events?.send("busy", [("path", .string(port))])
        say("another process has the board at port \(port); looking for the next one")
    }

    func found(_ device: BootDevice) {
        events?.send("found", device.members)
        if device.stage == .fileServer { say("\(device.title) asks for files") }
    }

    func event(_ event: BootEvent, of device: BootDevice) {
        tellProgram(event, device)
        switch event {
        case .bootcodeSent(let file):
            say("\(device.title): sent \(printable(file.origin)) (\(file.size) bytes)")
        case .sizeAsked(let name, let size):
            guard verbose else { return }
            say("\(device.path): \(printable(name)): " + (size.map { "\($0) bytes" } ?? "not there"))
        case .fileSent(let name, let file):
            guard verbose else { return }
            let origin = name == file.origin ? "" : ", from \(file.origin)"
            say("\(device.path): \(printable(name)): sent \(file.size) bytes\(printable(origin))")
        case .missing: break  // told at the end, all at once
        case .refused(let name, let refusal):
            say("\(device.path): \(printable(name)): not sent: " + refusal.reason(directory.path))
        case .metadata(let property, let value):
            if verbose { say("\(device.path): \(printable(property)) is \(printable(value))") }
        case .silence(let seconds):
            say("\(device.title) has asked for nothing for \(seconds) seconds")
        }
    }

    private func tellProgram(_ event: BootEvent, _ device: BootDevice) {
        guard let events else { return }
        let path: (key: String, value: JSONValue) = ("path", .string(device.path))
        switch event {
        case .bootcodeSent(let file):
            events.send(
                "bootcode_sent",
                [
                    path, ("name", .string(device.chip.bootcode)), ("size", .integer(file.size)),
                    ("origin", .string(file.origin)),
                ]
            )
        case .sizeAsked: break  // the file itself follows, or "missing"
        case .fileSent(let name, let file):
            events.send(
                "file_sent",
                [path, ("name", .string(name)), ("size", .integer(file.size)), ("origin", .string(file.origin))]
            )
        case .missing(let name):
            events.send("missing", [path, ("name", .string(name))])
        case .refused(let name, let refusal):
            events.send(
                "refused",
                [path, ("name", .string(name)), ("reason", .string(refusal.reason(directory.path)))]
            )
        case .metadata(let property, let value):
            events.send("metadata", [path, ("property", .string(property)), ("value", .string(value))])
        case .silence(let seconds):
            events.send("silence", [path, ("seconds", .integer(seconds))])
        }
    }

    /// The bootloader is done.
    func loaded(_ device: BootDevice, _ server: FileServer) {
        events?.send(
            "loaded",
            [
                ("path", .string(device.path)), ("files", .integer(server.filesSent)),
                ("bytes", .integer(server.bytesSent)), ("missing", .array(server.missing.map(JSONValue.string))),
            ]
        )
        let files = server.filesSent == 1 ? "1 file" : "\(server.filesSent) files"
        say("\(device.path): \(device.chip.name) loaded: \(files), \(server.bytesSent) bytes")
        guard events == nil, !server.missing.isEmpty else { return }
        let names = server.missing.prefix(20).map { printable($0) }.joined(separator: ", ")
        let more = server.missing.count > 20 ? " and \(server.missing.count - 20) more" : ""
        say("\(device.path): asked for, but not in \(ShellWord(directory.path)): \(names)\(more)")
        StandardError.write(advice(server) + "\n")
    }

    private func advice(_ server: FileServer) -> String {
        if server.missing.contains("config.txt") {
            return
                "Without config.txt a board starts nothing from here: put one into \(ShellWord(directory.path)), with boot_ramdisk=1,\n"
                + "and boot.img beside it."
        }
        if server.missing.contains("boot.img") {
            return "config.txt says boot_ramdisk=1: put boot.img into \(ShellWord(directory.path))."
        }
        return "Bootloaders ask for much that is optional. If the board does not start, put there what it needs."
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
        case .notAFile(let name): "\(printable(name)) is no regular file"
        case .tooLarge(let name): "\(printable(name)) is larger than a board can take, 2 GiB"
        case .unreadable(let name, let error): "can't read \(ShellWord(directory + "/" + name)): \(error.text)"
        case .damagedArchive:
            "\(ShellWord(directory + "/" + BootDirectory.archiveName)) is no tar archive, or it is damaged"
        }
    }
}
