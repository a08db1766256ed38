import Testing
import USBHost

@testable import USBLink

@Suite struct BulkPairTests {
    private struct Setting {
        var kind = InterfaceSetting.Kind(0xff, 0xff, 9)
        var endpoints: [(address: UInt8, attributes: UInt8)]

        /// A usb9pfs interface.
        static func ours(_ endpoints: [(address: UInt8, attributes: UInt8)]) -> Setting {
            Setting(endpoints: endpoints)
        }
    }

    private let bulk: [(address: UInt8, attributes: UInt8)] = [(0x02, 2), (0x81, 2)]

    /// The pair of a configuration with these interfaces, each with the alternate settings given.
    private func pair(_ interfaces: [[Setting]], packetSize: UInt16 = 512, packetLimit: Int = 512) -> BulkPair? {
        let interfaces = interfaces.enumerated().map { number, settings in
            settings.enumerated().map { index, setting in
                InterfaceSetting(
                    interface: number,
                    alternateSetting: index,
                    kind: setting.kind,
                    endpoints: setting.endpoints.map {
                        InterfaceSetting.Endpoint(
                            address: $0.address,
                            attributes: $0.attributes,
                            packetSize: packetSize
                        )
                    }
                )
            }
        }
        return BulkPair(in: Configuration(interfaces: interfaces), packetLimit: packetLimit)
    }

    @Test func aloneAndAmongOthers() throws {
        let alone = try #require(pair([[.ours(bulk)]]))
        #expect(alone.interface == 0 && alone.alternateSetting == 0)
        #expect(alone.requests == 0x81 && alone.replies == 0x02 && alone.maxPacketSize == 512)
        let storage = Setting(kind: InterfaceSetting.Kind(8, 6, 0x50), endpoints: bulk)
        #expect(pair([[storage], [.ours(bulk)]])?.interface == 1)
    }

    @Test func pairInAlternateSettingOne() {
        #expect(pair([[.ours([]), .ours(bulk)]])?.alternateSetting == 1)
    }

    @Test(arguments: [(64, 64), (512, 512), (1024, 512), (0x7ff, 512), (0x1fff, 512), (512 | 3 << 11, 512)])
    func packetsLargerThanTheSpeedAllowsAreCorrected(promised: Int, real: Int) {
        #expect(pair([[.ours(bulk)]], packetSize: UInt16(promised))?.maxPacketSize == real)
    }

    @Test func packetsOfNothingAreNoGadget() {
        #expect(pair([[.ours(bulk)]], packetSize: 0) == nil)
        #expect(pair([[.ours(bulk)]], packetSize: 0x800) == nil)
    }

    @Test func configurationThatHasFewerSettingsThanItSays() {
        #expect(pair([[], [.ours(bulk)]])?.interface == 1)
        #expect(pair([[]]) == nil)
    }

    @Test func othersAreNoGadgets() {
        #expect(pair([]) == nil)
        #expect(pair([[Setting(kind: InterfaceSetting.Kind(0xff, 0xff, 0), endpoints: bulk)]]) == nil)
        #expect(pair([[Setting(kind: InterfaceSetting.Kind(0xff, 0x42, 9), endpoints: bulk)]]) == nil)
        #expect(pair([[Setting(kind: InterfaceSetting.Kind(8, 0xff, 9), endpoints: bulk)]]) == nil)
        #expect(pair([[.ours([(0x81, 2)])]]) == nil)
        #expect(pair([[.ours([(0x81, 3), (0x01, 3)])]]) == nil)
    }
}
