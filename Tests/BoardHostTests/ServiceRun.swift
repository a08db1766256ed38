import TestSupport

@testable import BoardHost
@testable import RPiBoot
@testable import USBHost
@testable import USBLink

/// A service, run to its end on a fake bus: what it said and how it ended.
struct ServiceRun {
    let events: [String]
    let failure: BoardFailure?
    let bus: FakeBus

    /// Serves.
    static func serve(
        _ selector: DeviceSelector = DeviceSelector(),
        once: Bool = false,
        timeout: Double? = nil,
        loadingFrom directory: BootDirectory? = nil,
        by responder: some Responder = Echo(),
        on bus: FakeBus
    ) -> ServiceRun {
        run(bus, selector, once, timeout) { (service, stop) throws(BoardFailure) in
            try service.serve(by: responder, loadingFrom: directory.map { BootFiles($0) }, until: stop)
        }
    }

    /// Loads.
    static func load(
        _ selector: DeviceSelector = DeviceSelector(),
        once: Bool = false,
        timeout: Double? = nil,
        from directory: BootDirectory,
        on bus: FakeBus
    ) -> ServiceRun {
        run(bus, selector, once, timeout) { (service, stop) throws(BoardFailure) in
            try service.load(from: directory, until: stop)
        }
    }

    private static func run(
        _ bus: FakeBus,
        _ selector: DeviceSelector,
        _ once: Bool,
        _ timeout: Double?,
        _ body: (BoardService<FakeBus>, StopRequest) throws(BoardFailure) -> Void
    ) -> ServiceRun {
        var events: [String] = []
        let service = BoardService(selector, once: once, timeout: timeout, on: bus) { events.append($0.text) }
        do throws(BoardFailure) {
            try body(service, bus.stop)
            return ServiceRun(events: events, failure: nil, bus: bus)
        } catch {
            return ServiceRun(events: events, failure: error, bus: bus)
        }
    }
}

/// A server that grants everything.
final class Echo: Responder {
    func respond(to request: RawSpan, into reply: UnsafeMutableRawBufferPointer) -> Int {
        for offset in 0..<7 { reply[offset] = request.unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
        reply.storeBytes(of: 7, as: UInt32.self)
        reply[4] += 1
        return 7
    }
}

/// A directory that has boot code for a Raspberry Pi 4.
func bootDirectory() throws -> (directory: BootDirectory, files: TemporaryDirectory) {
    let files = try TemporaryDirectory()
    try files.write("bootcode4.bin", "boot code")
    return (try BootDirectory.open(files.path), files)
}

extension BoardEvent {
    /// One line, for comparison.
    var text: String {
        switch self {
        case .waiting(let kind, let selector):
            selector.description.isEmpty ? "waiting for any \(kind)" : "waiting for \(kind) \(selector)"
        case .passedOver(let port): "passed over \(port)"
        case .outdated(let directory, _, _, _): "outdated \(directory)"
        case .making(let directory, _): "making \(directory)"
        case .found(let device): "found \(device.stage) at \(device.path)"
        case .loading(let device, _): "loading \(device.path)"
        case .loaded(let device, _): "loaded \(device.path)"
        case .serving(let gadget): "serving \(gadget.path)"
        case .storageDetached(let interface): "detached \(interface)"
        case .notice(let notice): "notice \(notice)"
        case .served(let statistics): "served \(statistics.requests)"
        case .staleMount: "stale mount"
        case .leftMount(let port): "left mount at \(port)"
        case .failed(let failure): "failed: \(failure.text)"
        }
    }
}

extension BoardFailure {
    /// One word, for comparison.
    var text: String {
        switch self {
        case .bootDirectory: "directory"
        case .nothingToLoad: "nothing to load"
        case .unnamedTree: "unnamed tree"
        case .noBootScript: "no script"
        case .noCache: "no cache"
        case .noManifest: "no manifest"
        case .notMade: "not made"
        case .noUSB: "no USB"
        case .several(let gadgets, let loadable):
            "several: " + (gadgets.map(\.path) + loadable.map(\.path)).joined(separator: ", ")
        case .timeout: "timeout"
        case .portTaken(let port): "port \(port) taken"
        case .notOpened(let gadget, _): "not opened \(gadget.path)"
        case .notOpenedToLoad(let device, _): "not opened \(device.path)"
        case .gone(let gadget, let isMidRequest): "gone \(gadget.path)" + (isMidRequest ? " amid a request" : "")
        case .wedged(let gadget, _): "wedged \(gadget.path)"
        case .transfersFail(let gadget, _): "transfers fail \(gadget.path)"
        case .notLoaded(let device, _, _): "not loaded \(device.path)"
        case .vanished(let device): "vanished \(device.path)"
        case .notBack(let device, _): "not back \(device.path)"
        case .stoppedBeforeLoaded: "stopped before loaded"
        }
    }
}
