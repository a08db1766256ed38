public import RPiBoot
public import USBHost
public import USBLink

/// What the host does for a board: waits for it, loads it if it needs that, answers its requests, and waits again.
///
/// A service has a thread of its own, which calls `serve` or `load`; it says what happens in `BoardEvent`s, on that thread.
public struct BoardService<Bus: BoardBus> {
    /// Which boards count.
    public var selector: DeviceSelector
    /// Whether to end when the board has gone, or one board is loaded, instead of waiting for the next.
    public var once: Bool
    /// How long the first board may take to appear, in seconds; nil is for ever.
    public var timeout: Double?
    private let bus: Bus
    private let report: (BoardEvent) -> Void

    /// A service for the boards that a selector names; `serve` or `load` starts it.
    /// - Parameters:
    ///   - bus: the USB ports; a fake in tests.
    ///   - report: gets what happens, on the service's thread.
    public init(
        _ selector: DeviceSelector,
        once: Bool = false,
        timeout: Double? = nil,
        on bus: Bus,
        report: @escaping (BoardEvent) -> Void
    ) {
        self.selector = selector
        self.once = once
        self.timeout = timeout
        self.bus = bus
        self.report = report
    }

    /// Serves one board until it has gone (with `once`) or somebody asks for the end; the current request is still answered
    /// then.
    /// - Parameters:
    ///   - responder: answers the board's requests, through all its sessions.
    ///   - files: what a Raspberry Pi in boot mode is loaded from before it can be served; nil leaves it alone.
    ///   - trace: called with every request and every reply.
    /// - Throws: what has ended the service, if nobody asked for that.
    public func serve(
        by responder: some Responder,
        loadingFrom files: BootFiles? = nil,
        until stop: StopRequest,
        trace: ((GadgetLink.Direction, RawSpan) -> Void)? = nil
    ) throws(BoardFailure) {
        let watch = MountWatch(responder) { [report] in report(.staleMount) }
        do throws(BoardFailure) {
            try files?.prepare(until: stop, report: report)
        } catch {
            if stop.isRequested { return }
            throw error
        }
        let driver = driver(.serve(loads: files != nil), files, stop)
        try driver.run { link in
            // The link goes before its closures do.
            link.notify = { [unowned link, report] notice in
                if notice == .notMounted { watch.hasUnmounted() }
                // Too long, because there is no session: an earlier process had it.
                if notice == .requestRefused(.tooLong), link.msize == 0 {
                    watch.tellOfStaleMount()
                } else {
                    report(.notice(notice))
                }
            }
            link.trace = trace
            return link.run(answering: watch, until: stop)
        }
        // Unplugged or not: it is idle, and doesn't know yet.
        if watch.isMounted, let port = driver.plan.selector.path { report(.leftMount(port: port)) }
    }

    /// Loads Raspberry Pis, one after the other, until one is loaded (with `once`) or somebody asks for the end.
    /// - Throws: what has ended the service, also `.stoppedBeforeLoaded`: a caller that waits for one board must not take that
    ///   for success.
    public func load(from directory: BootDirectory, until stop: StopRequest) throws(BoardFailure) {
        try driver(.load, BootFiles(directory), stop).run { _ in preconditionFailure("a loader looks for no gadgets") }
    }

    private func driver(
        _ purpose: BoardPlan.Purpose,
        _ files: BootFiles?,
        _ stop: StopRequest
    ) -> BoardDriver<Bus> {
        let plan = BoardPlan(purpose, selector, once: once, timeout: timeout, now: bus.now)
        return BoardDriver(plan, files, bus: bus, until: stop, report: report)
    }
}
