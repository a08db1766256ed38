import CLibUSB
import Testing

@testable import USBLink

@Suite struct BulkPairTests {
    private struct Setting {
        var triple: (UInt8, UInt8, UInt8)
        var endpoints: [(address: UInt8, attributes: UInt8)]

        /// A usb9pfs interface.
        static func ours(_ endpoints: [(address: UInt8, attributes: UInt8)]) -> Setting {
            Setting(triple: (0xff, 0xff, 9), endpoints: endpoints)
        }
    }

    private let bulk: [(address: UInt8, attributes: UInt8)] = [(0x02, 2), (0x81, 2)]

    /// The pair of a configuration with these interfaces, each with the alternate settings given.
    private func pair(_ interfaces: [[Setting]], packetSize: UInt16 = 512, packetLimit: Int = 512) -> BulkPair? {
        // Descriptors point to each other; a test leaves them to the end of the process.
        func list<Element>(_ elements: [Element]) -> UnsafePointer<Element>? {
            let list = UnsafeMutableBufferPointer<Element>.allocate(capacity: elements.count)
            _ = list.initialize(from: elements)
            return UnsafePointer(list.baseAddress)
        }
        let descriptors = interfaces.enumerated().map { number, settings in
            let alternates = settings.enumerated().map { index, setting in
                var descriptor = libusb_interface_descriptor()
                descriptor.bInterfaceNumber = UInt8(number)
                descriptor.bAlternateSetting = UInt8(index)
                (descriptor.bInterfaceClass, descriptor.bInterfaceSubClass, descriptor.bInterfaceProtocol) =
                    setting.triple
                descriptor.bNumEndpoints = UInt8(setting.endpoints.count)
                descriptor.endpoint = list(
                    setting.endpoints.map { endpoint in
                        var descriptor = libusb_endpoint_descriptor()
                        descriptor.bEndpointAddress = endpoint.address
                        descriptor.bmAttributes = endpoint.attributes
                        descriptor.wMaxPacketSize = packetSize
                        return descriptor
                    }
                )
                return descriptor
            }
            return libusb_interface(altsetting: list(alternates), num_altsetting: CInt(alternates.count))
        }
        var configuration = libusb_config_descriptor()
        configuration.bNumInterfaces = UInt8(interfaces.count)
        configuration.interface = list(descriptors)
        return BulkPair(in: configuration, packetLimit: packetLimit)
    }

    @Test func aloneAndAmongOthers() throws {
        let alone = try #require(pair([[.ours(bulk)]]))
        #expect(alone.interface == 0 && alone.alternateSetting == 0)
        #expect(alone.requests == 0x81 && alone.replies == 0x02 && alone.maxPacketSize == 512)
        let storage = Setting(triple: (8, 6, 0x50), endpoints: bulk)
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
        #expect(pair([[Setting(triple: (0xff, 0xff, 0), endpoints: bulk)]]) == nil)
        #expect(pair([[Setting(triple: (0xff, 0x42, 9), endpoints: bulk)]]) == nil)
        #expect(pair([[Setting(triple: (8, 0xff, 9), endpoints: bulk)]]) == nil)
        #expect(pair([[.ours([(0x81, 2)])]]) == nil)
        #expect(pair([[.ours([(0x81, 3), (0x01, 3)])]]) == nil)
    }
}
