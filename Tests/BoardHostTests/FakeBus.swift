import Testing

@testable import BoardHost
@testable import RPiBoot
@testable import USBHost
@testable import USBLink

/// USB ports that a test plugs boards into. Its clock goes on only where somebody waits, so that minutes take no time.
///
/// Each time a look finds nothing, the next of `script` happens; when there is no more, the time of the search goes by, and
/// one that has no end is stopped.
final class FakeBus: BoardBus {
    private(set) var now = ContinuousClock.Instant.now
    let stop: StopRequest
    private let start: ContinuousClock.Instant

    private(set) var boards = AttachedBoards()
    /// What happens while somebody waits.
    var script: [(FakeBus) -> Void] = []
    /// What opening a device says, one after the other; nil opens it, as all that come later are.
    var openErrors: [USBError?] = []
    /// What happens while a device is opened, each time.
    var duringOpen: ((FakeBus) -> Void)?
    /// What links take off boards.
    var detachedInterfaces: [Int] = []
    /// What links do when they run, one after the other; those that come later run until they are stopped.
    var links: [(FakeLink) -> LinkEnd] = []
    /// What happens to Raspberry Pis that are loaded, one stage after the other, and how that fails; those that come later get
    /// all they want.
    var stages: [(FakeBus) -> BootFailure?] = []
    /// Ports that other processes have reserved.
    var othersPorts: Set<String> = []
    /// Whether the service reserves ports: one that loads nothing does not.
    var sharesPorts = true
    var listError: USBError?

    /// What was opened, or was to be: "1-1", "1-1 has just come".
    private(set) var opened: [String] = []
    private(set) var openedMsizes: [Int] = []
    private(set) var heldPorts: [String: Int] = [:]
    private(set) var pauses: [Int] = []
    private(set) var isLinkOpen = false
    /// How often the ports were looked at.
    private(set) var looks = 0

    init(_ stop: StopRequest = StopRequest()) {
        self.stop = stop
        start = now
    }

    /// Seconds of the test's own clock.
    var elapsed: Double { (now - start) / .seconds(1) }

    func elapse(_ seconds: Double) { now += .seconds(seconds) }

    func plug(_ gadget: Gadget) { boards.gadgets.append(gadget) }

    func plug(_ device: BootDevice) { boards.loadable.append(device) }

    func unplug(_ port: String) {
        boards.gadgets.removeAll { $0.path == port }
        boards.loadable.removeAll { $0.path == port }
    }

    // MARK: BoardBus

    func wait<Found>(
        for search: BoardSearch,
        until stop: StopRequest,
        look: (AttachedBoards) -> Found?
    ) throws(USBError) -> Found? {
        #expect(!isLinkOpen, "a link is left open")
        if let listError { throw listError }
        while !stop.isRequested {
            let vendor = search.port.flatMap { port -> UInt16? in
                if boards.loadable.contains(where: { $0.path == port }) { return BootChip.vendorID }
                return boards.gadgets.first { $0.path == port }?.vendorID
            }
            let seen = AttachedBoards(
                gadgets: search.gadgets ? boards.gadgets : [],
                loadable: search.loadable ? boards.loadable : [],
                vendorAtPort: vendor
            )
            looks += 1
            if looks > 10_000 { return nil }
            if let found = look(seen) { return found }
            if let deadline = search.deadline, now >= deadline { return nil }
            if !script.isEmpty {
                script.removeFirst()(self)
            } else if let deadline = search.deadline {
                now = deadline
            } else {
                stop.request()
            }
        }
        return nil
    }

    func reserve(port: String) -> Reservation? {
        #expect(heldPorts[port] == nil, "reserved twice")
        if othersPorts.contains(port) { return nil }
        heldPorts[port, default: 0] += 1
        return Reservation { [self] in heldPorts[port] = nil }
    }

    final class Reservation: BoardReservation {
        var isHeld: Bool { true }
        private let release: () -> Void

        init(_ release: @escaping () -> Void) {
            self.release = release
        }

        deinit { release() }
    }

    func open(_ gadget: Gadget, msize: Int, hasJustCome: Bool, until stop: StopRequest) throws(USBError) -> FakeLink {
        try open(gadget, hasJustCome)
        openedMsizes.append(msize)
        isLinkOpen = true
        let act = links.isEmpty ? { $0.untilStopped() } : links.removeFirst()
        return FakeLink(self, msize, act)
    }

    func open(_ device: BootDevice, hasJustCome: Bool, until stop: StopRequest) throws(USBError) -> FakeLoader {
        try open(device, hasJustCome)
        return FakeLoader(bus: self)
    }

    private func open(_ device: some AttachedDevice, _ hasJustCome: Bool) throws(USBError) {
        #expect(!isLinkOpen, "a link is left open")
        #expect(!stop.isRequested, "opened after a stop")
        #expect(!sharesPorts || !othersPorts.contains(device.path), "another process's port")
        opened.append(device.path + (hasJustCome ? " has just come" : ""))
        duringOpen?(self)
        let isThere =
            boards.gadgets.contains { $0.path == device.path && $0.address == device.address }
            || boards.loadable.contains { $0.path == device.path && $0.address == device.address }
        guard isThere else { throw .noDevice }
        if !openErrors.isEmpty, let error = openErrors.removeFirst() { throw error }
    }

    func pause(milliseconds: Int) {
        pauses.append(milliseconds)
        elapse(Double(milliseconds) / 1000)
    }

    func closeLink() { isLinkOpen = false }
}

/// A link whose board does what a test says.
final class FakeLink: BoardLink {
    let bus: FakeBus
    var msize: Int
    var detachedInterfaces: [Int] { bus.detachedInterfaces }
    var statistics = LinkStatistics()
    var trace: ((GadgetLink.Direction, RawSpan) -> Void)?
    var notify: ((LinkNotice) -> Void)?
    private let act: (FakeLink) -> LinkEnd
    /// Has a request answered; the reply.
    private var answer: (([UInt8]) -> [UInt8])?

    init(_ bus: FakeBus, _ msize: Int, _ act: @escaping (FakeLink) -> LinkEnd) {
        self.bus = bus
        self.msize = msize
        self.act = act
    }

    deinit { bus.closeLink() }

    func run(answering responder: some Responder, until stop: StopRequest) -> LinkEnd {
        responder.serve(boardGone: { false })
        answer = { request in
            var reply = [UInt8](repeating: 0, count: 8192)
            let size = reply.withUnsafeMutableBytes { reply in
                request.withUnsafeBytes { responder.respond(to: $0.bytes, into: reply) }
            }
            return Array(reply[..<size])
        }
        defer { answer = nil }
        return act(self)
    }

    @discardableResult
    func ask(_ request: [UInt8]) -> [UInt8] {
        statistics.requests += 1
        return answer?(request) ?? []
    }

    /// Somebody asks for the end.
    func untilStopped() -> LinkEnd {
        bus.stop.request()
        return .stopped
    }

    /// The board is unplugged, or reboots.
    func gone(midRequest: Bool = false, from port: String = "1-1") -> LinkEnd {
        bus.unplug(port)
        return .gone(midRequest: midRequest)
    }
}

/// A Raspberry Pi that takes what it gets.
struct FakeLoader: BoardLoader {
    let bus: FakeBus

    func loadBootcode(
        from directory: BootDirectory,
        until stop: StopRequest,
        notify: (BootEvent) -> Void
    ) throws(BootFailure) { try act() }

    func serveFiles(_ server: inout FileServer, until stop: StopRequest, notify: (BootEvent) -> Void)
        throws(BootFailure)
    { try act() }

    private func act() throws(BootFailure) {
        if !bus.stages.isEmpty, let failure = bus.stages.removeFirst()(bus) { throw failure }
    }
}

extension Gadget {
    private static let bulk = BulkPair(
        in: Configuration(interfaces: [
            [
                InterfaceSetting(
                    interface: 0,
                    kind: InterfaceSetting.Kind(0xff, 0xff, 9),
                    endpoints: [
                        InterfaceSetting.Endpoint(address: 0x81, attributes: 2, packetSize: 512),
                        InterfaceSetting.Endpoint(address: 0x01, attributes: 2, packetSize: 512),
                    ]
                )
            ]
        ]),
        packetLimit: 512
    )

    /// A board as it is served.
    static func at(
        _ port: String,
        _ address: Int = 5,
        serial: String? = "0001",
        product productID: UInt16 = 0x0109
    ) -> Gadget {
        guard let bulk else { preconditionFailure("a gadget has its endpoints") }
        return Gadget(
            bus: 1,
            address: address,
            vendorID: 0x1d6b,
            productID: productID,
            path: port,
            speed: .high,
            bulk: bulk,
            manufacturer: nil,
            product: nil,
            serial: serial,
            isAccessible: true
        )
    }
}

extension BootDevice {
    /// A Raspberry Pi 4 as it waits to be loaded.
    static func at(
        _ port: String,
        _ address: Int = 3,
        _ stage: Stage = .rom,
        serial: String? = "af04b2da"
    ) -> BootDevice {
        BootDevice(
            bus: 1,
            address: address,
            path: port,
            chip: .bcm2711,
            productID: 0x2711,
            stage: stage,
            target: BulkTarget(interface: 0, endpoint: 1),
            serial: serial,
            isAccessible: true
        )
    }
}
