import LinuxFiles
import TestSupport
import Testing

@testable import BoardHost
@testable import RPiBoot
@testable import USBHost
@testable import USBLink

/// Raspberry Pis in boot mode: loaded in stages, for themselves or to be served.
@Suite("Loading a Raspberry Pi")
struct LoadingTests {
    private let directory: BootDirectory
    private let files: TemporaryDirectory

    init() throws {
        (directory, files) = try bootDirectory()
    }

    /// The boot ROM runs what it got, and comes back as a bootloader at once.
    private func comesBack(_ bus: FakeBus) -> BootFailure? {
        bus.unplug("1-1")
        bus.plug(BootDevice.at("1-1", 4, .fileServer, serial: "10000000af04b2da"))
        return nil
    }

    /// The bootloader starts the kernel, whose gadget comes.
    private func starts(_ bus: FakeBus) -> BootFailure? {
        bus.unplug("1-1")
        bus.script.append { $0.plug(Gadget.at("1-1", 5, serial: "board")) }
        return nil
    }

    private func unplugged(_ bus: FakeBus) -> BootFailure? {
        bus.unplug("1-1")
        return nil
    }

    // MARK: To be served

    @Test("a board is loaded in two stages, comes back with another id and serial number, and is served")
    func loadedAndServed() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1"))
        bus.stages = [comesBack, starts]
        let run = ServiceRun.serve(DeviceSelector(serial: "af04b2da"), loadingFrom: directory, on: bus)
        #expect(
            run.events == [
                "found rom at 1-1", "found fileServer at 1-1", "loaded 1-1", "waiting for gadget at port 1-1",
                "serving 1-1", "served 0",
            ]
        )
        #expect(run.failure == nil)
        #expect(bus.opened == ["1-1", "1-1 has just come", "1-1 has just come"])
        #expect(bus.heldPorts.isEmpty, "all is given back at the end")
    }

    @Test("each time it is powered on it is loaded anew, and its session begins anew")
    func powerCycle() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1"))
        bus.stages = [comesBack, starts, comesBack, starts]
        bus.links = [
            { link in
                link.msize = 65536
                link.bus.script.append { $0.plug(BootDevice.at("1-1", 9)) }
                return link.gone()
            }
        ]
        let run = ServiceRun.serve(loadingFrom: directory, on: bus)
        #expect(run.events.filter { $0 == "found rom at 1-1" }.count == 2)
        #expect(run.events.filter { $0 == "serving 1-1" }.count == 2)
        #expect(bus.openedMsizes == [0, 0])
    }

    @Test("without a directory to load from, a board in boot mode is nobody's")
    func leftAlone() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1"))
        let run = ServiceRun.serve(timeout: 5, on: bus)
        #expect(run.failure?.text == "timeout")
        #expect(bus.opened.isEmpty)
    }

    @Test("a gadget's id does not keep from loading the board first")
    func gadgetID() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1"))
        bus.stages = [starts]
        let selector = DeviceSelector(id: DeviceID(vendor: 0x1d6b, product: 0x0109))
        #expect(ServiceRun.serve(selector, loadingFrom: directory, on: bus).events.contains("serving 1-1"))
    }

    @Test("a board to load and one to serve are several")
    func several() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-2"))
        bus.plug(BootDevice.at("1-1"))
        let run = ServiceRun.serve(loadingFrom: directory, on: bus)
        #expect(run.failure == .several([.at("1-2")], [.at("1-1")]))
    }

    @Test("a bootloader that is gone without a word is told of; what comes next at the port is served, even with once")
    func vanishedWhileServing() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1", 3, .fileServer))
        bus.stages = [
            { bus in
                _ = starts(bus)
                return .gone(during: nil)
            }
        ]
        let run = ServiceRun.serve(once: true, loadingFrom: directory, on: bus)
        #expect(
            run.events == [
                "found fileServer at 1-1", "failed: vanished 1-1", "waiting for gadget at port 1-1", "serving 1-1",
                "served 0",
            ]
        )
    }

    @Test("between stages the time begins anew")
    func timeBetweenStages() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1"))
        bus.stages = [
            { bus in
                bus.unplug("1-1")
                bus.elapse(100)
                return nil
            }
        ]
        let run = ServiceRun.serve(timeout: 60, loadingFrom: directory, on: bus)
        #expect(run.failure == .timeout(.gadget, DeviceSelector(path: "1-1"), seconds: 60))
        #expect(bus.elapsed == 160)
    }

    @Test("a board that was served once is waited for as long as it takes, also when it was loaded again")
    func noTimeoutAfterServing() {
        let bus = FakeBus()
        bus.plug(Gadget.at("1-1"))
        bus.links = [{ $0.gone() }]
        bus.stages = [unplugged]
        bus.script = [
            { $0.plug(BootDevice.at("1-1", 5, .fileServer)) }, { $0.elapse(3600) }, { $0.plug(Gadget.at("1-1", 6)) },
        ]
        let run = ServiceRun.serve(timeout: 60, loadingFrom: directory, on: bus)
        #expect(run.failure == nil)
        #expect(run.events.suffix(2) == ["serving 1-1", "served 0"])
    }

    // MARK: For itself

    @Test("once: a board is loaded when something else is at its port, without waiting")
    func loadedOnce() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1"))
        bus.stages = [
            comesBack,
            { bus in
                bus.unplug("1-1")
                bus.plug(Gadget.at("1-1"))
                return nil
            },
        ]
        let run = ServiceRun.load(once: true, from: directory, on: bus)
        #expect(run.events == ["found rom at 1-1", "found fileServer at 1-1", "loaded 1-1"])
        #expect(run.failure == nil)
        #expect(bus.elapsed == 0)
    }

    @Test("a board of the oldest kind may ask for more in a further stage, for five seconds")
    func furtherStage() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1", 3, .fileServer))
        bus.stages = [
            { bus in
                bus.unplug("1-1")
                bus.script = [{ $0.elapse(4) }, { $0.plug(BootDevice.at("1-1", 4, .fileServer)) }]
                return nil
            },
            unplugged,
        ]
        let run = ServiceRun.load(once: true, from: directory, on: bus)
        #expect(run.events.filter { $0 == "loaded 1-1" }.count == 2)
        #expect(run.failure == nil)
        #expect(bus.elapsed == 9)
    }

    @Test("boards are loaded one after the other; each once, however long it stays")
    func oneAfterTheOther() {
        let bus = FakeBus()
        for port in 1...3 { bus.plug(BootDevice.at("1-\(port)", port, .fileServer)) }
        let run = ServiceRun.load(from: directory, on: bus)
        #expect(run.events.filter { $0.hasPrefix("loaded") } == ["loaded 1-1", "loaded 1-2", "loaded 1-3"])
        #expect(run.failure == nil)
    }

    @Test("a board that is powered on again is loaded again")
    func again() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1", 3, .fileServer))
        bus.stages = [unplugged]
        bus.script = [{ $0.elapse(10) }, { $0.plug(BootDevice.at("1-1", 4, .fileServer)) }]
        let run = ServiceRun.load(from: directory, on: bus)
        #expect(run.events.filter { $0 == "loaded 1-1" }.count == 2)
    }

    @Test("a boot ROM that does not come back within 30 seconds has failed")
    func notBack() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1"))
        bus.stages = [unplugged]
        let run = ServiceRun.load(once: true, from: directory, on: bus)
        #expect(run.failure == .notBack(.at("1-1"), seconds: 30))
        #expect(bus.elapsed == 30)
    }

    @Test("a board that vanishes, and is not back within 5 seconds, has failed; the next one is waited for")
    func vanished() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1", 3, .fileServer))
        bus.stages = [
            { bus in
                bus.unplug("1-1")
                return .gone(during: nil)
            }
        ]
        let run = ServiceRun.load(from: directory, on: bus)
        #expect(run.events == ["found fileServer at 1-1", "failed: vanished 1-1", "waiting for any loadable"])
        #expect(bus.elapsed == 5)
    }

    @Test("no board within the time")
    func timeout() {
        let bus = FakeBus()
        let run = ServiceRun.load(timeout: 20, from: directory, on: bus)
        #expect(run.failure == .timeout(.loadable, DeviceSelector(), seconds: 20))
        #expect(run.events == ["waiting for any loadable"])
        #expect(bus.elapsed == 20)
    }

    @Test("the time is for the first board")
    func timeoutOnlyAtFirst() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1", 3, .fileServer))
        bus.stages = [unplugged]
        bus.script = [{ $0.elapse(10) }, { $0.elapse(3600) }, { $0.stop.request() }]
        #expect(ServiceRun.load(timeout: 20, from: directory, on: bus).failure == nil)
    }

    // MARK: What goes wrong

    @Test(
        "what is wrong with the directory stays wrong",
        arguments: [BootFailure.noBootcode(.bcm2711, others: []), .badBootcode(.notAFile("bootcode4.bin"))]
    )
    func wrongDirectory(failure: BootFailure) {
        for isServing in [false, true] {
            let bus = FakeBus()
            bus.plug(BootDevice.at("1-1"))
            bus.stages = [{ _ in failure }]
            let run =
                isServing
                ? ServiceRun.serve(loadingFrom: directory, on: bus) : ServiceRun.load(from: directory, on: bus)
            #expect(run.failure == .notLoaded(.at("1-1"), directory: files.path, failure))
            #expect(run.events == ["found rom at 1-1"])
        }
    }

    @Test(
        "a board that can't be loaded is told of, not tried again, and the next one is waited for",
        arguments: [
            BootFailure.gone(during: "start4.elf"), .notTaken("bootcode4.bin"), .refused("bootcode4.bin", status: 1),
            .usb(.inputOutput), .malformed(.truncated),
        ]
    )
    func notLoaded(failure: BootFailure) {
        for isServing in [false, true] {
            let bus = FakeBus()
            bus.plug(BootDevice.at("1-1"))
            bus.stages = [{ _ in failure }]
            let run =
                isServing
                ? ServiceRun.serve(loadingFrom: directory, on: bus) : ServiceRun.load(from: directory, on: bus)
            #expect(run.failure == nil)
            #expect(run.events.prefix(2) == ["found rom at 1-1", "failed: not loaded 1-1"])
            #expect(bus.opened.count == 1)
            let once = FakeBus()
            once.plug(BootDevice.at("1-1"))
            once.stages = [{ _ in failure }]
            let end =
                isServing
                ? ServiceRun.serve(once: true, loadingFrom: directory, on: once)
                : ServiceRun.load(once: true, from: directory, on: once)
            #expect(end.failure?.text == "not loaded 1-1")
        }
    }

    @Test("a lack of permission is the end")
    func accessDenied() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1"))
        bus.openErrors = [.accessDenied]
        #expect(ServiceRun.load(from: directory, on: bus).failure == .notOpenedToLoad(.at("1-1"), .accessDenied))
    }

    @Test("a board that can't be opened for another reason is tried again, and keeps no processor busy")
    func failingOpen() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1", 3, .fileServer))
        bus.openErrors = [.inputOutput, .inputOutput]
        let run = ServiceRun.load(from: directory, on: bus)
        #expect(run.events.filter { $0 == "failed: not opened 1-1" }.count == 2)
        #expect(run.events.contains("loaded 1-1"))
        #expect(bus.pauses == [1000, 1000])
    }

    @Test("a board whose node is yet to come is tried again after a moment")
    func goneBeforeOpen() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1", 3, .fileServer))
        bus.openErrors = [.noDevice]
        let run = ServiceRun.load(once: true, from: directory, on: bus)
        #expect(run.failure == nil)
        #expect(run.events == ["found fileServer at 1-1", "loaded 1-1"])
        #expect(bus.pauses == [250])
    }

    // MARK: Stopping

    @Test("a stop before a board is loaded is not a success for who waits for one")
    func stopped() {
        for once in [false, true] {
            let waiting = FakeBus()
            waiting.script = [{ $0.stop.request() }]
            #expect(
                ServiceRun.load(once: once, from: directory, on: waiting).failure == (once ? .stoppedBeforeLoaded : nil)
            )
            let loading = FakeBus()
            loading.plug(BootDevice.at("1-1"))
            loading.stages = [
                { bus in
                    bus.stop.request()
                    return .stopped
                }
            ]
            #expect(
                ServiceRun.load(once: once, from: directory, on: loading).failure == (once ? .stoppedBeforeLoaded : nil)
            )
            let between = FakeBus()
            between.plug(BootDevice.at("1-1"))
            between.stages = [unplugged]
            between.script = [{ $0.stop.request() }]
            let run = ServiceRun.load(once: once, from: directory, on: between)
            #expect(run.failure == (once ? .stoppedBeforeLoaded : nil))
            #expect(run.events == ["found rom at 1-1"])
        }
    }

    @Test("a stop when all is loaded, while a further stage might come, is a success")
    func stoppedWhenLoaded() {
        let bus = FakeBus()
        bus.plug(BootDevice.at("1-1", 3, .fileServer))
        bus.stages = [unplugged]
        bus.script = [{ $0.stop.request() }]
        #expect(ServiceRun.load(once: true, from: directory, on: bus).failure == nil)
    }

    // MARK: The directory

    @Test("a directory that can't be opened, or has nothing to load")
    func directories() throws {
        #expect(throws: BoardFailure.bootDirectory("/nowhere/at/all", .ENOENT)) {
            try BootDirectory.open("/nowhere/at/all")
        }
        let file = try files.write("file", "")
        #expect(throws: BoardFailure.bootDirectory(file, .ENOTDIR)) { try BootDirectory.open(file) }
        let empty = try TemporaryDirectory()
        #expect(throws: BoardFailure.nothingToLoad(directory: empty.path, nil)) { try BootDirectory.open(empty.path) }
        try empty.makeSymlink("bootcode4.bin", to: "/etc/hostname")
        #expect(throws: BoardFailure.nothingToLoad(directory: empty.path, .outside("bootcode4.bin"))) {
            try BootDirectory.open(empty.path)
        }
    }
}
