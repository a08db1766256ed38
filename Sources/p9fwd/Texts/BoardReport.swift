import BoardHost
import CommandSupport
import LinuxFiles
import P9Wire
import RPiBoot
import USBHost
import USBLink

/// Tells what a service does with boards: people in lines on standard error, programs in events on standard output.
struct BoardReport {
    /// What Raspberry Pis are loaded from, as the user gave it, by processor; empty where none is.
    var bootDirectory: (BootChip) -> String = { _ in "" }
    var isVerbose = false
    /// For programs; nil tells people.
    var events: EventStream?

    func tell(_ event: BoardEvent) {
        tellProgram(event)
        if events == nil { tellPeople(event) }
    }

    /// One line per message, such as "-> Tread tag 3, 23 bytes": from the board, and "<-" to it, as in p9serve's trace.
    static func trace(_ direction: GadgetLink.Direction, _ frame: RawSpan) {
        StandardError.write("\(direction == .fromBoard ? "->" : "<-") \(describe(frame))\n")
    }
}

// MARK: For people

extension BoardReport {
    private func tellPeople(_ event: BoardEvent) {
        switch event {
        case .waiting(.gadget, let selector):
            say("waiting for a board\(selector.phrase) to appear")
        case .waiting(.loadable, let selector):
            say("waiting for a Raspberry Pi in boot mode\(selector.phrase)")
        case .passedOver(let port):
            say("another process has the board at port \(port); looking for the next one")
        case .outdated(let directory, let tree, let changes, let command):
            say("\(ShellWord(directory)) no longer fits \(ShellWord(tree)): \(changes.sentence)")
            guard let command else { break }
            StandardError.write("To make it anew: \(ShellWord.commandLine(command))\n")
        case .making(let directory, _):
            say("making \(ShellWord(directory)), which takes a while")
        case .found(let device):
            if device.stage == .fileServer { say("\(device.title) asks for files") }
        case .loading(let device, let event):
            tellPeople(event, of: device)
        case .loaded(let device, let files):
            tellPeople(files, of: device)
        case .serving(let gadget):
            say("serving \(gadget.name) (\(gadget.title))")
        case .storageDetached(let interface):
            say("took usb-storage off its interface \(interface): it would reset the board")
        case .notice(let notice):
            say(notice.sentence)
        case .served(let statistics):
            say(
                "\(statistics.requests) requests, \(statistics.bytesFromBoard) bytes from the board, "
                    + "\(statistics.bytesToBoard) bytes to it"
            )
        case .staleMount:
            StandardError.tell(.staleMount)
        case .leftMount(let port):
            StandardError.tell(.leftMount(port: port))
        case .failed(let failure):
            StandardError.tell(CommandFailure(failure))
        }
    }

    private func tellPeople(_ event: BootEvent, of device: BootDevice) {
        switch event {
        case .bootcodeSent(let file):
            say("\(device.title): sent \(printable(file.origin)) (\(file.size) bytes)")
        case .sizeAsked(let name, let size):
            guard isVerbose else { return }
            say("\(device.path): \(printable(name)): " + (size.map { "\($0) bytes" } ?? "not there"))
        case .fileSent(let name, let file):
            guard isVerbose else { return }
            let origin = name == file.origin ? "" : ", from \(file.origin)"
            say("\(device.path): \(printable(name)): sent \(file.size) bytes\(printable(origin))")
        case .missing: break  // told at the end, all at once
        case .refused(let name, let refusal):
            say("\(device.path): \(printable(name)): not sent: " + refusal.reason(bootDirectory(device.chip)))
        case .metadata(let property, let value):
            if isVerbose { say("\(device.path): \(printable(property)) is \(printable(value))") }
        case .silence(let seconds):
            say("\(device.title) has asked for nothing for \(seconds) seconds")
        }
    }

    private func tellPeople(_ files: LoadedFiles, of device: BootDevice) {
        let count = files.count == 1 ? "1 file" : "\(files.count) files"
        say("\(device.path): \(device.chip.name) loaded: \(count), \(files.bytes) bytes")
        guard !files.missing.isEmpty else { return }
        let directory = ShellWord(bootDirectory(device.chip))
        let names = files.missing.prefix(20).map { printable($0) }.joined(separator: ", ")
        let more = files.missing.count > 20 ? " and \(files.missing.count - 20) more" : ""
        say("\(device.path): asked for, but not in \(directory): \(names)\(more)")
        StandardError.write(advice(files, directory) + "\n")
    }

    private func advice(_ files: LoadedFiles, _ directory: ShellWord) -> String {
        if files.missing.contains("config.txt") {
            return
                "Without config.txt a board starts nothing from here: put one into \(directory), with boot_ramdisk=1,\n"
                + "and boot.img beside it."
        }
        if files.missing.contains("boot.img") {
            return "config.txt says boot_ramdisk=1: put boot.img into \(directory)."
        }
        return "Bootloaders ask for much that is optional. If the board does not start, put there what it needs."
    }

    private func say(_ text: String) { StandardError.say(text) }
}

// MARK: For programs

extension BoardReport {
    /// The events of docs/rpiboot.md; their names and keys are stable.
    private func tellProgram(_ event: BoardEvent) {
        guard let events else { return }
        switch event {
        case .passedOver(let port):
            events.send("busy", [("path", .string(port))])
        case .found(let device):
            events.send("found", device.members)
        case .loading(let device, let event):
            tellProgram(event, of: device, events)
        case .loaded(let device, let files):
            events.send(
                "loaded",
                [
                    ("path", .string(device.path)), ("files", .integer(files.count)), ("bytes", .integer(files.bytes)),
                    ("missing", .array(files.missing.map(JSONValue.string))),
                ]
            )
        case .failed(let failure):
            _ = events.failure(CommandFailure(failure))
        case .outdated, .making, .waiting, .serving, .storageDetached, .notice, .served, .staleMount, .leftMount:
            break  // serve has no events
        }
    }

    private func tellProgram(_ event: BootEvent, of device: BootDevice, _ events: EventStream) {
        let path: (key: String, value: JSONValue) = ("path", .string(device.path))
        func send(_ name: String, _ members: (key: String, value: JSONValue)...) { events.send(name, [path] + members) }
        switch event {
        case .bootcodeSent(let file):
            send(
                "bootcode_sent",
                ("name", .string(device.chip.bootcode)),
                ("size", .integer(file.size)),
                ("origin", .string(file.origin))
            )
        case .sizeAsked: break  // the file itself follows, or "missing"
        case .fileSent(let name, let file):
            send("file_sent", ("name", .string(name)), ("size", .integer(file.size)), ("origin", .string(file.origin)))
        case .missing(let name):
            send("missing", ("name", .string(name)))
        case .refused(let name, let refusal):
            send("refused", ("name", .string(name)), ("reason", .string(refusal.reason(bootDirectory(device.chip)))))
        case .metadata(let property, let value):
            send("metadata", ("property", .string(property)), ("value", .string(value)))
        case .silence(let seconds):
            send("silence", ("seconds", .integer(seconds)))
        }
    }
}
