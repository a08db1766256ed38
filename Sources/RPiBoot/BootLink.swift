internal import CLibUSB
internal import LinuxFiles
public import USBHost

/// Carries files to one Raspberry Pi in boot mode, on the thread that calls.
///
/// Never resets the device and never sets its configuration. The times are at least those of the board maker's own program,
/// which are known to be enough; a boot ROM can't be asked.
public final class BootLink {
    /// The board.
    public let device: BootDevice
    private let context: USBContext
    private let claimed: ClaimedInterface

    /// Claims the interface, and takes usb-storage off the disk that some boards show beside it and that never answers: it
    /// would reset the device within seconds.
    ///
    /// This is quick in the first second, while usb-storage leaves a new disk alone. Later usb-storage waits for an answer, and
    /// this must wait with it, for up to 30 seconds. The udev rules keep usb-storage off such a disk from the beginning.
    /// - Parameters:
    ///   - patience: seconds to wait for permission: udev grants it a moment after the device has appeared.
    ///   - stop: ends that wait.
    /// - Throws: `USBError.accessDenied`, `.busy` if another process has the interface, `.noDevice`.
    public init(_ device: BootDevice, patience: Double, until stop: StopRequest) throws(USBError) {
        self.device = device
        context = try USBContext()
        claimed = try ClaimedInterface(
            device,
            interface: device.interface,
            in: context,
            patience: patience,
            until: stop
        )
    }

    /// Sends the boot ROM its file: header, file, status back; then the ROM runs it, and the device goes.
    /// - Throws: `BootFailure`: `.noBootcode` and `.badBootcode` before anything is sent, `.refused` for a status other than 0.
    public func loadBootcode(
        from directory: BootDirectory,
        until stop: StopRequest,
        notify: (BootEvent) -> Void
    ) throws(BootFailure) {
        let name = device.chip.bootcode
        let file: BootFile
        switch directory.find(name, for: device.chip, at: device.path) {
        case .found(let found): file = found
        case .missing: throw .noBootcode(device.chip, others: directory.chips)
        case .refused(let refusal): throw .badBootcode(refusal)
        }
        let header = BootHeader(length: file.size, signature: directory.signature(for: device.chip))
        try session(until: stop) { (transfer) throws(BootFailure) in
            try attempt(name) { () throws(BootTransfer.Failure) in
                try transfer.announce(UInt32(BootHeader.size), seconds: 5)
                transfer.data.copyBytes(from: header.bytes)
                try transfer.send(BootHeader.size, to: device.endpoint, seconds: 10)
            }
            try send(file, as: name, transfer)
            // The ROM checks and copies what it got. The board maker's program leaves it alone for a second.
            let status = transfer.pause(seconds: 1) ? try romStatus(name, transfer) : 0
            guard status == 0 else { throw .refused(name, status: status) }
            if stop.isRequested { throw .stopped }
            notify(.bootcodeSent(file))
        }
    }

    /// What the boot ROM says of its file; 0 is success. A ROM that is gone, or sends less than the four bytes of a status, has
    /// accepted the file and runs it.
    private func romStatus(_ name: String, _ transfer: BootTransfer) throws(BootFailure) -> UInt32 {
        do throws(BootTransfer.Failure) {
            let count = try transfer.receive(4, seconds: 20)
            guard count == 4 else { return 0 }
            return UInt32(littleEndian: transfer.data.loadUnaligned(as: UInt32.self))
        } catch .gone {
            return 0
        } catch {
            throw failure(error, name)
        }
    }

    /// Answers the bootloader's questions until it is done. It may be silent between two of them for any time.
    /// - Throws: `BootFailure`; `.gone(during: nil)` if the board has left between two questions, which may be all it wanted.
    public func serveFiles(_ server: inout FileServer, until stop: StopRequest, notify: (BootEvent) -> Void)
        throws(BootFailure)
    {
        try session(until: stop) { (transfer) throws(BootFailure) in
            while true {
                let message = try nextMessage(transfer, notify)
                switch server.answer(message) {
                case .length(let length):
                    try attempt(message.text) { () throws(BootTransfer.Failure) in
                        try transfer.announce(length, seconds: 5)
                    }
                case .content(let file):
                    try send(file, as: message.text, transfer)
                    server.sent(file, as: message)
                case .end(let acknowledged):
                    // It may be off already, to start what it got.
                    if acknowledged { try? transfer.announce(0, seconds: 5) }
                    return
                }
            }
        }
    }

    /// Waits for the next question as long as it takes.
    private func nextMessage(_ transfer: BootTransfer, _ notify: (BootEvent) -> Void) throws(BootFailure) -> FileMessage
    {
        let start = ContinuousClock.now
        var isSilent = false
        var refusedSince: ContinuousClock.Instant?
        while true {
            let count: Int
            do throws(BootTransfer.Failure) {
                count = try transfer.receive(FileMessage.size, seconds: 20)
            } catch .timedOut {
                // Asked again, as it may have been the question that was lost.
                refusedSince = nil
                if !isSilent { notify(.silence(Int((ContinuousClock.now - start) / .seconds(1)))) }
                isSilent = true
                continue
            } catch .stalled {
                // A bootloader that is busy refuses; one that refuses for long has no more questions to ask.
                let since = refusedSince ?? .now
                refusedSince = since
                guard ContinuousClock.now - since < .seconds(20) else { throw .notTaken("a question") }
                _ = transfer.pause(seconds: 0.1)
                continue
            } catch {
                throw failure(error, nil)
            }
            do throws(FileMessage.Malformation) {
                return try FileMessage(decoding: UnsafeRawBufferPointer(transfer.data).bytes.extracting(first: count))
            } catch {
                throw .malformed(error)
            }
        }
    }

    /// Announces a file and sends it.
    private func send(_ file: BootFile, as name: String, _ transfer: BootTransfer) throws(BootFailure) {
        try attempt(name) { () throws(BootTransfer.Failure) in try transfer.announce(file.size, seconds: 5) }
        var position: UInt32 = 0
        while position < file.size {
            let count = min(BootTransfer.pieceSize, Int(file.size - position))
            do throws(Errno) {
                try file.read(into: UnsafeMutableRawBufferPointer(rebasing: transfer.data[..<count]), at: position)
            } catch {
                throw error == .EPIPE ? .changed(file.origin) : .unreadable(file.origin, error)
            }
            try attempt(name) { () throws(BootTransfer.Failure) in
                try transfer.send(count, to: device.endpoint, seconds: 10)
            }
            position += UInt32(count)
        }
    }

    private func attempt(_ name: String, _ body: () throws(BootTransfer.Failure) -> Void) throws(BootFailure) {
        do throws(BootTransfer.Failure) {
            try body()
        } catch {
            throw failure(error, name)
        }
    }

    private func failure(_ error: BootTransfer.Failure, _ name: String?) -> BootFailure {
        switch error {
        case .stopped: .stopped
        case .gone: .gone(during: name)
        case .timedOut, .stalled: .notTaken(name ?? "a question")
        case .failed(let error): .usb(error)
        }
    }

    private func session(
        until stop: StopRequest,
        _ body: (BootTransfer) throws(BootFailure) -> Void
    ) throws(BootFailure) {
        try stop.interrupting(context) { () throws(BootFailure) in
            let transfer: BootTransfer
            do throws(USBError) {
                transfer = try BootTransfer(claimed, in: context, until: stop)
            } catch {
                throw .usb(error)
            }
            try body(transfer)
        }
    }
}
