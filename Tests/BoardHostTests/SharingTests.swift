import TestSupport
import Testing

@testable import BoardHost
@testable import RPiBoot
@testable import USBHost
@testable import USBLink

/// Several services that would take any board.
@Suite("Sharing boards with other processes")
struct SharingTests {
    private let directory: BootDirectory
    private let files: TemporaryDirectory

    init() throws {
        (directory, files) = try bootDirectory()
    }

    @Test("a board whose port another process has is passed over, and told of once")
    func reserved() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.plug(Gadget.at("1-2", 7))
        bus.othersPorts = ["1-1"]
        let run = ServiceRun.serve(loadingFrom: directory, on: bus)
        #expect(run.events == ["passed over 1-1", "serving 1-2", "served 0"])
    }

    @Test("a board whose interface another process has is left to it, and not tried again until it comes anew")
    func claimed() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1", 3, .fileServer))
        bus.openErrors = [.busy]
        bus.script = [
            { $0.elapse(60) },
            { bus in
                bus.unplug("1-1")
                bus.plug(BootDevice.at("1-1", 4, .fileServer))
            },
        ]
        let run = ServiceRun.load(once: true, from: directory, on: bus)
        #expect(run.failure == nil)
        #expect(run.events == ["passed over 1-1", "waiting for any loadable", "found fileServer at 1-1", "loaded 1-1"])
        #expect(bus.opened.count == 2)
    }

    @Test("a gadget whose interface another process has is left to it, too")
    func claimedGadget() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.openErrors = [.busy]
        bus.script = [{ $0.plug(Gadget.at("1-2", 8)) }]
        let run = ServiceRun.serve(loadingFrom: directory, on: bus)
        #expect(run.events == ["passed over 1-1", "waiting for any gadget", "serving 1-2", "served 0"])
    }

    @Test("passing over does not begin the time anew")
    func timeout() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.openErrors = [.busy]
        bus.duringOpen = { $0.elapse(6) }
        #expect(ServiceRun.serve(timeout: 10, loadingFrom: directory, on: bus).failure?.text == "timeout")
        #expect(bus.elapsed == 10)
    }

    @Test("a port that the user names, and another process has, is the end at once")
    func portTaken() {
        let bus = FakeBus()
        bus.othersPorts = ["1-1"]
        #expect(
            ServiceRun.load(DeviceSelector(path: "1-1"), from: directory, on: bus).failure == .portTaken("1-1")
        )
        bus.plug(Gadget.at("1-1", serial: "0001"))
        #expect(
            ServiceRun.serve(DeviceSelector(serial: "0001"), loadingFrom: directory, on: bus).failure
                == .portTaken("1-1")
        )
    }

    @Test("a board that the user names, and another process has, is the end")
    func namedAndClaimed() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1"))
        bus.openErrors = [.busy]
        #expect(
            ServiceRun.load(DeviceSelector(serial: "af04b2da"), from: directory, on: bus).failure
                == .notOpenedToLoad(.at("1-1"), .busy)
        )
    }

    @Test("once it has its board, a service fails if another process takes it")
    func settled() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.links = [{ $0.gone() }]
        bus.script = [
            { bus in
                bus.plug(Gadget.at("1-1", 6))
                bus.openErrors = [.busy]
            }
        ]
        #expect(ServiceRun.serve(loadingFrom: directory, on: bus).failure == .notOpened(.at("1-1", 6), .busy))
    }

    @Test("between its stages, and as long as it stays, a board's port is kept; all others are given back")
    func keptPorts() {
        let bus = FakeBus()
        var held: [[String]] = []
        bus.plug(BootDevice.at("1-1", 3))
        bus.stages = [
            { bus in
                bus.unplug("1-1")
                bus.script = [
                    { held.append($0.heldPorts.keys.sorted()) }, { $0.plug(BootDevice.at("1-1", 4, .fileServer)) },
                ]
                return nil
            },
            { bus in
                bus.script = [
                    { held.append($0.heldPorts.keys.sorted()) },
                    { bus in
                        bus.elapse(10)
                        held.append(bus.heldPorts.keys.sorted())
                    },
                    // It is off the bus: any process may have the next one there.
                    { $0.unplug("1-1") },
                    { held.append($0.heldPorts.keys.sorted()) },
                ]
                return nil
            },
        ]
        let run = ServiceRun.load(from: directory, on: bus)
        #expect(run.failure == nil)
        #expect(held == [["1-1"], ["1-1"], ["1-1"], []])
    }
}
