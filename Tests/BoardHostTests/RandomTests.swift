import TestSupport
import Testing

@testable import BoardHost
@testable import RPiBoot
@testable import USBHost
@testable import USBLink

/// Anything at any time: what holds whatever boards, other processes and users do. `FakeBus` itself sees to it that nothing is
/// opened after a stop, at another process's port or beside an open link.
@Suite("Boards that do anything")
struct RandomTests {
    private let directory: BootDirectory
    private let files: TemporaryDirectory

    init() throws {
        (directory, files) = try bootDirectory()
    }

    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        /// SplitMix64.
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var value = state
            value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
            return value ^ value >> 31
        }
    }

    @Test("every service ends, tells each link's end, and gives back its ports", arguments: 0..<8)
    func anything(part: UInt64) {
        for seed in (part * 250)..<((part + 1) * 250) { run(seed) }
    }

    private func run(_ seed: UInt64) {
        var random = Generator(state: seed)
        let bus = FakeBus()
        bus.script = (0..<Int.random(in: 0..<20, using: &random)).map { _ in happening(&random) }
        bus.openErrors = (0..<10).map { _ in
            Int.random(in: 0..<3, using: &random) > 0
                ? nil : [USBError.noDevice, .busy, .inputOutput, .accessDenied].randomElement(using: &random)
        }
        bus.links = (0..<10).map { _ in
            let end = [LinkEnd.stopped, .gone(midRequest: true), .wedged(.requestLost), .failed(.inputOutput)]
                .randomElement(using: &random)
            return { link in
                guard let end, end != .stopped else { return link.untilStopped() }
                if case .gone = end { return link.gone(midRequest: true, from: "1-\(1 + seed % 3)") }
                return end
            }
        }
        bus.stages = (0..<10).map { _ in stage(Int.random(in: 0..<6, using: &random)) }
        let once = Bool.random(using: &random)
        let timeout = Bool.random(using: &random) ? 10.0 : nil
        let selector =
            [DeviceSelector(), DeviceSelector(path: "1-1"), DeviceSelector(serial: "0001")].randomElement(
                using: &random
            )
            ?? DeviceSelector()
        let kind = Int.random(in: 0..<3, using: &random)
        bus.sharesPorts = kind > 0
        let result =
            switch kind {
            case 0: ServiceRun.serve(selector, once: once, timeout: timeout, on: bus)
            case 1: ServiceRun.serve(selector, once: once, timeout: timeout, loadingFrom: directory, on: bus)
            default: ServiceRun.load(selector, once: once, timeout: timeout, from: directory, on: bus)
            }
        #expect(bus.heldPorts.isEmpty, "seed \(seed)")
        #expect(!bus.isLinkOpen, "seed \(seed)")
        #expect(bus.looks < 1000, "seed \(seed): a service that never rests")
        for (index, event) in result.events.enumerated() where event.hasPrefix("serving") {
            #expect(result.events.dropFirst(index + 1).first?.hasPrefix("served") == true, "seed \(seed)")
        }
        if once, result.failure == nil {
            #expect(bus.stop.isRequested || result.events.contains { $0.hasPrefix("loaded") })
        }
        if !once, let failure = result.failure { #expect(failure.isLasting, "seed \(seed)") }
    }

    private func stage(_ number: Int) -> (FakeBus) -> BootFailure? {
        { bus in
            switch number {
            case 0: return .gone(during: nil)
            case 1: return .notTaken("start4.elf")
            case 2:
                bus.stop.request()
                return .stopped
            default:
                bus.unplug("1-1")
                return nil
            }
        }
    }

    private func happening(_ random: inout Generator) -> (FakeBus) -> Void {
        let port = "1-\(Int.random(in: 1...3, using: &random))"
        let address = Int.random(in: 1...127, using: &random)
        switch Int.random(in: 0..<9, using: &random) {
        case 0, 1:
            return { bus in
                bus.unplug(port)
                bus.plug(Gadget.at(port, address))
            }
        case 2, 3:
            return { bus in
                bus.unplug(port)
                bus.plug(BootDevice.at(port, address, address % 2 == 0 ? .rom : .fileServer))
            }
        case 4, 5: return { $0.unplug(port) }
        case 6: return { if $0.heldPorts[port] == nil { $0.othersPorts.insert(port) } }
        case 7: return { $0.othersPorts.remove(port) }
        default: return { $0.elapse(3) }
        }
    }
}
