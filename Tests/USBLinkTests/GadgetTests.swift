import CLibUSB
import Testing

@testable import USBLink

@Suite struct GadgetSelectorTests {
    @Test func parsesIDs() {
        #expect(GadgetSelector.ID(parsing: "1d6b:0109") == .init(vendor: 0x1d6b, product: 0x0109))
        #expect(GadgetSelector.ID(parsing: "1D6B:109") == .init(vendor: 0x1d6b, product: 0x0109))
        #expect(GadgetSelector.ID(parsing: "0x1d6b:0x0109") == .init(vendor: 0x1d6b, product: 0x0109))
        for text in ["", ":", "1d6b", "1d6b:", "1d6b:0109:1", "1d6b:x", "+1:2", "12345:1", "1d6b: 109"] {
            #expect(GadgetSelector.ID(parsing: text) == nil, "\(text)")
        }
    }
}

@Suite struct GadgetDescriptionTests {
    @Test func idsAndNodesArePadded() {
        #expect("\(GadgetSelector.ID(vendor: 0x1d6b, product: 0x9))" == "1d6b:0009")
        let selector = GadgetSelector(path: "2-1", serial: "x", id: .init(vendor: 1, product: 2))
        #expect("\(selector)" == "at port 2-1 with serial number x with id 0001:0002")
        #expect("\(GadgetSelector())" == "")
    }
}

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
