import BoardLink
import CBoard

/// The process that holds everything a mount hangs on: the endpoints, the client's socket, the memory. It does little, so that
/// little can go wrong; the carriers do the work, and if one of them crashes its successor, which waits already, goes on. The
/// successor holds all of that too: if the keeper is killed, it becomes the keeper.
struct Keeper {
    private let settings: Settings
    private let shared: Shared
    private let log: Log
    private let ep0: Int32
    private let input: Int32
    private let output: Int32
    private let signals: Int32
    /// Where the keeper's number is written; -1 if nowhere. A root that is mounted later hides the path.
    private let pidFile: Int32
    /// Where the next client comes; -1 while one is there.
    private var listener: Int32
    private var client: Int32 = -1
    private var carrier: Int32 = 0
    private var successor: Int32 = 0
    /// Tells the end of a carrier that a keeper before this one has made; -1 if there is none.
    private var adopted: Int32 = -1

    /// Begins to serve, in the background.
    /// - Returns: the exit code for the caller's process.
    static func start(_ settings: Settings) -> Int32 {
        var ends: (Int32, Int32) = (-1, -1)
        let piped = withUnsafeMutableBytes(of: &ends) {
            board_pipe($0.baseAddress!.assumingMemoryBound(to: Int32.self))
        }
        guard piped == 0 else { return failed("no pipe: ", piped) }
        let child = board_fork()
        guard child >= 0 else { return failed("no process: ", child) }
        if child > 0 {
            board_close(ends.1)
            // The keeper says that it is ready by one byte; what is wrong it has said itself, and its code is the byte.
            var code: UInt8 = 1
            return board_read(ends.0, &code, 1) == 1 ? Int32(code) : ExitCode.failed
        }
        board_close(ends.0)
        var code: UInt8
        switch make(settings) {
        case .failure(let failure): code = UInt8(failure.code)
        case .success(var keeper):
            code = 0
            board_detach()
            _ = board_write(ends.1, &code, 1)
            board_close(ends.1)
            keeper.run()
        }
        _ = board_write(ends.1, &code, 1)
        return ExitCode.failed
    }

    private struct Failure: Error {
        var code: Int32
    }

    private static func failed(_ text: StaticString, _ error: Int32, _ code: Int32 = ExitCode.failed) -> Int32 {
        Log(2).say(text, board_error_text(-error))
        return code
    }

    private static func make(_ settings: Settings) -> Result<Keeper, Failure> {
        let words = settings.words
        let directory = words.pointer(settings.functionFS)
        let ep0 = board_open_in(directory, ("/ep0" as StaticString).text)
        guard ep0 >= 0 else {
            Log(2).say("can't open ep0 in ", directory, ": ", board_error_text(-ep0))
            return .failure(Failure(code: ep0 == -16 ? ExitCode.alreadyThere : ExitCode.kernelLacks))
        }
        let described = withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { buffer in
            let descriptors = UnsafeMutableRawBufferPointer(rebasing: buffer[..<FunctionDescriptors.size])
            FunctionDescriptors.write(into: descriptors)
            var written = board_write(ep0, descriptors.baseAddress!, descriptors.count)
            guard written == descriptors.count else { return written < 0 ? written : -5 }
            let strings = UnsafeMutableRawBufferPointer(rebasing: buffer[..<FunctionDescriptors.stringsSize])
            FunctionDescriptors.writeStrings(into: strings)
            written = board_write(ep0, strings.baseAddress!, strings.count)
            return written == strings.count ? 0 : written < 0 ? written : -5
        }
        guard described == 0 else {
            return .failure(Failure(code: failed("FunctionFS refuses the descriptors: ", Int32(described))))
        }
        let input = board_open_in(directory, ("/ep1" as StaticString).text)
        let output = board_open_in(directory, ("/ep2" as StaticString).text)
        guard input >= 0, output >= 0 else {
            return .failure(Failure(code: failed("can't open the endpoints: ", min(input, output))))
        }
        guard let shared = Shared(messages: settings.messages, msize: settings.msize) else {
            return .failure(Failure(code: failed("no memory for the messages: ", -12)))
        }
        let listener = board_listen(words.pointer(settings.socket))
        guard listener >= 0 else { return .failure(Failure(code: failed("can't make the socket: ", listener))) }
        let signals = board_signals()
        guard signals >= 0 else { return .failure(Failure(code: failed("no descriptor for signals: ", signals))) }
        let kernelLog = board_open_write(("/dev/kmsg" as StaticString).text)
        let log = Log(kernelLog)
        words.markAsStorageDaemon()
        if let refused = board_protect() {
            Log(2).say("not protected as a root's program should be: ", refused, " is refused")
        }
        let pidFile = settings.pidFile > 0 ? board_create(words.pointer(settings.pidFile)) : -1
        let noted = settings.pidFile > 0 ? min(pidFile, board_write_pid(pidFile)) : 0
        guard noted >= 0 else {
            Log(2).say("can't write ", words.pointer(settings.pidFile), ": ", board_error_text(-noted))
            return .failure(Failure(code: ExitCode.failed))
        }
        return .success(
            Keeper(
                settings: settings,
                shared: shared,
                log: log,
                ep0: ep0,
                input: input,
                output: output,
                signals: signals,
                pidFile: pidFile,
                listener: listener
            )
        )
    }

    // MARK: Events

    private mutating func run() -> Never {
        while true {
            let ready = board_wait(ep0, listener, adopted, signals, isWithoutSocket ? 1000 : -1)
            if ready < 0 {
                board_sleep_milliseconds(100)
                continue
            }
            if ready & 1 != 0 { takeEvent() }
            if ready & 4 != 0 { reap() }
            if ready & 32 != 0 { end(of: carrier) }
            if ready & 2 != 0 { takeClient() }
            if ready & 16 != 0 { breakOff() }
            if ready & 8 != 0 { finish() }
            if isWithoutSocket { listener = board_listen(settings.words.pointer(settings.socket)) }
        }
    }

    private func takeEvent() {
        let event = board_next_event(ep0)
        switch Int(event) {
        case BOARD_EVENT_ENABLE:
            shared.increment(.generation)
            shared.set(.enabled, 1)
            if carrier != 0 { log.say("a host is there") }
        case BOARD_EVENT_DISABLE, BOARD_EVENT_UNBIND:
            shared.set(.enabled, 0)
            if carrier != 0 { log.say("the host is gone; the mount waits until it is back") }
        default:
            if event < 0 { board_sleep_milliseconds(10) }
            return
        }
        shared.increment(.kick)
        shared.wake(.kick)
    }

    /// SIGTERM: a mount would be lost.
    private func finish() {
        guard carrier == 0 else { return log.say("not ending: the file system is mounted; unmount it first") }
        if listener >= 0 { _ = board_unlink(settings.words.pointer(settings.socket)) }
        board_exit(0)
    }

    /// SIGUSR1: a client waits for a host's answer that may never come, and nobody waits for it any more.
    private mutating func breakOff() {
        guard carrier != 0 else { return }
        board_kill(carrier)
        forgetCarrier()
        endSession()
    }

    // MARK: Clients and their carriers

    /// The socket could not be made anew: it is tried every second.
    private var isWithoutSocket: Bool { listener < 0 && client < 0 }

    private mutating func takeClient() {
        guard listener >= 0 else { return }
        let accepted = board_accept(listener, 2 * settings.msize)
        guard accepted >= 0 else { return }
        // One at a time: the next one finds no socket.
        _ = board_unlink(settings.words.pointer(settings.socket))
        board_close(listener)
        listener = -1
        client = accepted
        shared.set(.unmounted, 0)
        carrier = makeCarrier()
        guard carrier != 0 else { return endSession() }
        board_give_turn(carrier)
        successor = makeCarrier()
    }

    /// Makes a process that waits for its turn, as the carrier or as the keeper.
    /// - Returns: its number; 0 if there is none.
    private mutating func makeCarrier() -> Int32 {
        let keeper = board_pid()
        let process = board_fork()
        if process > 0 { return process }
        guard process == 0 else {
            log.say("no process: ", board_error_text(-process))
            return 0
        }
        _ = board_lock_memory()
        if board_wait_for_turn(keeper) == 0 { takeOver() }
        Carrier(shared: shared, log: log, input: input, output: output, client: client).run()
    }

    /// The keeper has ended before its turn was given: this process, which was its last child, is the keeper now.
    private mutating func takeOver() -> Never {
        log.say("the process that kept the mount has ended; another one goes on")
        successor = 0
        if pidFile >= 0, board_write_pid(pidFile) < 0 { log.say("can't write the number of this process") }
        if adopted >= 0 { board_close(adopted) }
        adopted = carrier != 0 ? board_watch(carrier) : -1
        if adopted == -3 {  // ESRCH
            end(of: carrier)
        } else if adopted < 0 {
            log.say(
                "a crash of the process that carries the messages would not be noticed: ",
                board_error_text(-adopted)
            )
        }
        if carrier != 0, successor == 0 { successor = makeCarrier() }
        run()
    }

    private mutating func reap() {
        while true {
            let process = board_reap()
            guard process != 0 else { return }
            end(of: process)
        }
    }

    /// A process has ended.
    private mutating func end(of process: Int32) {
        if process == successor {
            successor = makeCarrier()
        } else if process == carrier {
            forgetCarrier()
            if shared[.unmounted] != 0 { endSession() } else { replaceCarrier() }
        }
    }

    private mutating func forgetCarrier() {
        carrier = 0
        if adopted >= 0 { board_close(adopted) }
        adopted = -1
    }

    /// The carrier has crashed, or somebody has killed it.
    private mutating func replaceCarrier() {
        let hasUncounted = shared[.received] == 0 && shared.incoming.load(as: UInt32.self) != 0
        guard shared[.changing] == 0, shared[.delivering] == 0, !hasUncounted else {
            log.say(
                "error: the process that carried the messages has ended in the middle of one: the root is lost, reboot the board"
            )
            return endSession()
        }
        if successor == 0 { successor = makeCarrier() }
        guard successor != 0 else {
            log.say(
                "error: the process that carried the messages has ended, and there is no other: the root is lost, reboot the board"
            )
            return endSession()
        }
        // One that ends at once must not keep a processor busy.
        board_sleep_milliseconds(50)
        log.say("the process that carried the messages has ended; another one goes on")
        carrier = successor
        board_give_turn(carrier)
        successor = makeCarrier()
    }

    private mutating func endSession() {
        if shared[.changing] != 0 { shared.reset() } else { shared.table.abandonAll() }
        shared.set(.changing, 0)
        shared.set(.delivering, 0)
        shared.set(.received, 0)
        if successor != 0 { board_kill(successor) }
        successor = 0
        board_close(client)
        client = -1
        listener = board_listen(settings.words.pointer(settings.socket))
        if listener < 0 {
            log.say("can't make the socket anew, trying again every second: ", board_error_text(-listener))
        }
    }
}
