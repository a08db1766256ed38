import P9Wire
import TestSupport
import Testing

@testable import BoardHost
@testable import RPiBoot
@testable import USBHost
@testable import USBLink

/// A board that wants its files: found, served, lost and found again.
@Suite("Serving a board")
struct BoardServiceTests {
    @Test("a board that is there is served, and a stop ends it well")
    func present() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        let run = ServiceRun.serve(on: bus)
        #expect(run.events == ["serving 1-1", "served 0"])
        #expect(run.failure == nil)
        #expect(bus.opened == ["1-1"])
        #expect(bus.heldPorts.isEmpty, "who loads nothing reserves no port")
    }

    @Test("a board that is not there is waited for; its permissions may come later")
    func appears() {
        let bus = FakeBus()
        bus.script = [{ $0.elapse(3600) }, { $0.plug(Gadget.at("1-1")) }]
        let run = ServiceRun.serve(on: bus)
        #expect(run.events == ["waiting for any gadget", "serving 1-1", "served 0"])
        #expect(bus.opened == ["1-1 has just come"])
    }

    @Test("a board that goes is waited for at its port, with its msize, whatever else is plugged in")
    func comesBack() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.links = [
            { link in
                link.msize = 65536
                return link.gone()
            }
        ]
        bus.script = [
            { $0.plug(Gadget.at("1-2")) },
            { $0.plug(Gadget.at("1-1", 6, serial: "0002", product: 0x0104)) },
        ]
        let run = ServiceRun.serve(DeviceSelector(serial: "0001"), on: bus)
        #expect(
            run.events == [
                "serving 1-1", "served 0", "failed: gone 1-1", "waiting for gadget at port 1-1", "serving 1-1",
                "served 0",
            ]
        )
        #expect(bus.opened == ["1-1", "1-1 has just come"])
        #expect(bus.openedMsizes == [0, 65536])
        #expect(bus.pauses.isEmpty)
    }

    @Test("the msize is kept over many replugs while the board is idle")
    func msizeOverReplugs() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1", 1))
        bus.links = [
            { link in
                link.msize = 8192
                return link.gone()
            }, { $0.gone() }, { $0.gone() },
        ]
        bus.script = [
            { $0.plug(Gadget.at("1-1", 2)) }, { $0.plug(Gadget.at("1-1", 3)) }, { $0.plug(Gadget.at("1-1", 4)) },
        ]
        let run = ServiceRun.serve(on: bus)
        #expect(run.failure == nil)
        #expect(bus.openedMsizes == [0, 8192, 8192, 8192])
    }

    @Test("with several boards the user must choose; none is opened")
    func several() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.plug(Gadget.at("1-2"))
        let run = ServiceRun.serve(on: bus)
        #expect(run.failure == .several([.at("1-1"), .at("1-2")], []))
        #expect(run.events.isEmpty && bus.opened.isEmpty)
    }

    @Test(
        "a choice by port, serial number or id",
        arguments: [
            DeviceSelector(path: "1-2"), DeviceSelector(serial: "0002"),
            DeviceSelector(id: DeviceID(vendor: 0x1d6b, product: 0x0104)),
        ]
    )
    func chosen(selector: DeviceSelector) {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.plug(Gadget.at("1-2", 7, serial: "0002", product: 0x0104))
        #expect(ServiceRun.serve(selector, on: bus).events == ["serving 1-2", "served 0"])
    }

    @Test("once: the board's going is the end, and says why")
    func once() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.links = [{ $0.gone(midRequest: true) }]
        let run = ServiceRun.serve(once: true, on: bus)
        #expect(run.failure == .gone(.at("1-1"), midRequest: true))
        #expect(run.events == ["serving 1-1", "served 0"])
    }

    @Test("a stop while serving ends well even with once")
    func onceStopped() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        #expect(ServiceRun.serve(once: true, on: bus).failure == nil)
    }

    // MARK: Time

    @Test("no board within the time")
    func timeout() {
        let bus = FakeBus()
        let run = ServiceRun.serve(DeviceSelector(path: "1-1"), timeout: 60, on: bus)
        #expect(run.failure == .timeout(.gadget, DeviceSelector(path: "1-1"), seconds: 60))
        #expect(run.events == ["waiting for gadget at port 1-1"])
        #expect(bus.elapsed == 60)
    }

    @Test("a time of 0 takes what is there, and waits for nothing")
    func timeoutZero() {
        let bus = FakeBus()
        #expect(ServiceRun.serve(timeout: 0, on: bus).failure?.text == "timeout")
        #expect(bus.elapsed == 0)
        let other = FakeBus()
        other.plug(Gadget.at("1-1"))
        #expect(ServiceRun.serve(timeout: 0, on: other).failure == nil)
    }

    @Test("the time is for the first board: one that was served is waited for as long as it takes")
    func timeoutOnlyAtFirst() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.links = [{ $0.gone() }]
        bus.script = [{ $0.elapse(3600) }, { $0.plug(Gadget.at("1-1", 6)) }]
        let run = ServiceRun.serve(timeout: 5, on: bus)
        #expect(run.failure == nil)
        #expect(run.events.suffix(2) == ["serving 1-1", "served 0"])
    }

    @Test("a board that goes before it can be opened does not begin the time anew")
    func timeoutOverVanished() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.duringOpen = { bus in
            bus.elapse(6)
            bus.unplug("1-1")
        }
        let run = ServiceRun.serve(timeout: 10, on: bus)
        #expect(run.failure?.text == "timeout")
        #expect(bus.elapsed == 10)
    }

    // MARK: Opening

    @Test("a board that goes before it is open, or has no node yet, is tried again a little later")
    func goneBeforeOpen() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.openErrors = [.noDevice, .noDevice]
        let run = ServiceRun.serve(on: bus)
        #expect(run.events == ["serving 1-1", "served 0"])
        #expect(bus.pauses == [250, 250])
    }

    @Test("once: a board that goes before it is open is the end")
    func goneBeforeOpenOnce() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.openErrors = [.noDevice]
        #expect(ServiceRun.serve(once: true, on: bus).failure == .notOpened(.at("1-1"), .noDevice))
    }

    @Test("what can't be opened is the end", arguments: [USBError.accessDenied, .busy, .other])
    func notOpened(error: USBError) {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.openErrors = [error]
        let run = ServiceRun.serve(on: bus)
        #expect(run.failure == .notOpened(.at("1-1"), error))
        #expect(run.events.isEmpty)
    }

    @Test("no USB at all")
    func noUSB() {
        let bus = FakeBus()
        bus.listError = .noMemory
        #expect(ServiceRun.serve(on: bus).failure == .noUSB(.noMemory))
    }

    // MARK: Links that end

    @Test(
        "a link that fails, or a board that hangs, is told, and after a second the board is tried again",
        arguments: [
            LinkEnd.wedged(.replyNotTaken), .wedged(.requestLost), .failed(.inputOutput), .failed(.noMemory),
        ]
    )
    func failing(end: LinkEnd) {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.links = [{ _ in end }, { _ in end }]
        let run = ServiceRun.serve(on: bus)
        let text = if case .failed = end { "failed: transfers fail 1-1" } else { "failed: wedged 1-1" }
        #expect(
            run.events == ["serving 1-1", "served 0", text, "serving 1-1", "served 0", text, "serving 1-1", "served 0"]
        )
        #expect(bus.pauses == [1000, 1000])
    }

    @Test("once: a link that fails is the end, with the reason")
    func failingOnce() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.links = [{ _ in .failed(.noMemory) }]
        let run = ServiceRun.serve(once: true, on: bus)
        #expect(run.failure == .transfersFail(.at("1-1"), .noMemory))
        #expect(bus.pauses.isEmpty)
    }

    // MARK: Stopping

    @Test("a stop while it waits")
    func stopWaiting() {
        let bus = FakeBus()
        bus.script = [{ $0.stop.request() }]
        let run = ServiceRun.serve(timeout: 60, on: bus)
        #expect(run.failure == nil)
        #expect(run.events == ["waiting for any gadget"])
    }

    @Test("a stop before it begins")
    func stopAtOnce() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.stop.request()
        let run = ServiceRun.serve(on: bus)
        #expect(run.failure == nil)
        #expect(run.events.isEmpty && bus.opened.isEmpty)
    }

    @Test("a stop while it waits for permission: the lack of it is not a failure")
    func stopOpening() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.openErrors = [.accessDenied]
        bus.duringOpen = { $0.stop.request() }
        let run = ServiceRun.serve(on: bus)
        #expect(run.failure == nil)
        #expect(run.events.isEmpty)
    }

    @Test("a stop while a failure is told, and in the rest after it")
    func stopResting() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.links = [
            { link in
                link.bus.stop.request()
                return .wedged(.replyNotTaken)
            }
        ]
        let run = ServiceRun.serve(on: bus)
        #expect(run.failure == nil)
        #expect(run.events == ["serving 1-1", "served 0", "failed: wedged 1-1"])
        #expect(bus.opened.count == 1)
    }

    // MARK: What is told of links

    @Test("what the link notices, what it took off, and what it moved")
    func notices() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.detachedInterfaces = [1, 2]
        bus.links = [
            { link in
                link.ask(frame(100, tag: 0xffff))
                link.notify?(.requestRefused(.malformed))
                link.notify?(.noMemory(msize: 8192))
                return link.untilStopped()
            }
        ]
        let run = ServiceRun.serve(on: bus)
        #expect(
            run.events == [
                "serving 1-1", "detached 1", "detached 2", "notice \(LinkNotice.requestRefused(.malformed))",
                "notice \(LinkNotice.noMemory(msize: 8192))", "served 1",
            ]
        )
    }

    @Test("every request and every reply is traced, where somebody wants to see them")
    func trace() throws {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.links = [
            { link in
                #expect(link.trace != nil)
                return link.untilStopped()
            }
        ]
        let service = BoardService(DeviceSelector(), on: bus) { _ in }
        try service.serve(by: Echo(), until: bus.stop, trace: { _, _ in })
        #expect(bus.opened.count == 1)
    }
}
