import TestSupport
import Testing

@testable import BoardHost
@testable import USBHost
@testable import USBLink

/// What a service knows of a board's mounts.
@Suite("A board's mounts")
struct MountTests {
    private static let version = frame(100, tag: 0xffff, littleEndian(UInt32(8192)) + wireString("9P2000.L"))

    private static func attach(_ fid: UInt32) -> [UInt8] {
        frame(
            104,
            tag: 1,
            littleEndian(fid) + littleEndian(UInt32.max) + wireString("") + wireString("") + [0, 0, 0, 0]
        )
    }

    private static func clunk(_ fid: UInt32) -> [UInt8] { frame(120, tag: 1, littleEndian(fid)) }

    private func run(_ requests: [[UInt8]], then end: ((FakeLink) -> LinkEnd)? = nil) -> ServiceRun {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.links = [
            { link in
                for request in requests { link.ask(request) }
                return end?(link) ?? link.untilStopped()
            }
        ]
        return ServiceRun.serve(once: end != nil, on: bus)
    }

    @Test("a service that ends under a mounted board says so")
    func left() {
        #expect(run([Self.version, Self.attach(0)]).events.last == "left mount at 1-1")
    }

    @Test("a board that has unmounted, never mounted or begun anew loses nothing")
    func notLeft() {
        for requests in [
            [], [Self.version], [Self.version, Self.attach(0), Self.clunk(0)],
            [Self.version, Self.attach(0), Self.version],
            [Self.version, Self.attach(0), Self.attach(7), Self.clunk(7), Self.clunk(0)],
        ] {
            #expect(run(requests).events.last == "served \(requests.count)")
        }
    }

    @Test("one of several mounts is enough")
    func leftOne() {
        #expect(run([Self.version, Self.attach(0), Self.attach(7), Self.clunk(0)]).events.last == "left mount at 1-1")
    }

    @Test("a board that is gone has no mount to lose")
    func gone() {
        let run = run([Self.version, Self.attach(0)]) { $0.gone() }
        #expect(run.events.last == "served 2")
        #expect(run.failure?.text == "gone 1-1")
    }

    @Test("a mounted board that was unplugged while idle does not know yet that its files are gone")
    func leftUnplugged() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.links = [
            { link in
                link.ask(Self.version)
                link.ask(Self.attach(0))
                return link.gone()
            }
        ]
        let run = ServiceRun.serve(on: bus)
        #expect(run.events.suffix(2) == ["waiting for gadget at port 1-1", "left mount at 1-1"])
    }

    @Test("a stop while a mounted board is opened anew leaves its mount as any other stop does")
    func leftWhileOpening() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.links = [
            { link in
                link.ask(Self.version)
                link.ask(Self.attach(0))
                return link.gone()
            }
        ]
        bus.script = [
            { bus in
                bus.plug(Gadget.at("1-1", 6))
                bus.openErrors = [.accessDenied]
                bus.duringOpen = { $0.stop.request() }
            }
        ]
        let run = ServiceRun.serve(on: bus)
        #expect(run.failure == nil)
        #expect(run.events.last == "left mount at 1-1")
    }

    @Test("a board that goes on with an earlier process's files is told of once")
    func stale() {
        let events = run([Self.clunk(3), Self.clunk(4), Self.version, Self.clunk(5)]).events
        #expect(events == ["serving 1-1", "stale mount", "served 4"])
    }

    @Test("so is one whose message is too long for a session that there is not; with a session that is another matter")
    func staleByLength() {
        let early = run([]) { link in
            link.notify?(.requestRefused(.tooLong))
            link.notify?(.requestRefused(.tooLong))
            return link.gone()
        }
        #expect(early.events == ["serving 1-1", "stale mount", "served 0"])
        let later = run([Self.version]) { link in
            link.msize = 8192
            link.notify?(.requestRefused(.tooLong))
            return link.gone()
        }
        #expect(later.events == ["serving 1-1", "notice \(LinkNotice.requestRefused(.tooLong))", "served 1"])
    }

    @Test("a session goes on over an idle replug: no stale mount")
    func notStale() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.links = [
            { link in
                link.ask(Self.version)
                return link.gone()
            },
            { link in
                link.ask(Self.clunk(3))
                return link.untilStopped()
            },
        ]
        bus.script = [{ $0.plug(Gadget.at("1-1", 6)) }]
        #expect(!ServiceRun.serve(on: bus).events.contains("stale mount"))
    }
}
