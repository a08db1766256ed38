import TestSupport
import Testing
import USBHost

@testable import RPiBoot

@Suite("Boards in boot mode")
struct DeviceTests {
    @Test func chipsByID() {
        #expect(BootChip(vendorID: 0x0a5c, productID: 0x2763) == .bcm2837)
        #expect(BootChip(vendorID: 0x0a5c, productID: 0x2764) == .bcm2837)
        #expect(BootChip(vendorID: 0x0a5c, productID: 0x2711) == .bcm2711)
        #expect(BootChip(vendorID: 0x0a5c, productID: 0x2712) == .bcm2712)
        #expect(BootChip(vendorID: 0x0a5c, productID: 0x2713) == nil)
        #expect(BootChip(vendorID: 0x1d6b, productID: 0x2711) == nil)
    }

    @Test func stagesBySerialNumberIndex() {
        #expect(
            (UInt8(0)...4).map(BootDevice.Stage.init(serialNumberIndex:)) == [
                .rom, .fileServer, .fileServer, .rom, .fileServer,
            ]
        )
    }

    private func device(serial: String?) throws -> BootDevice {
        BootDevice(
            bus: 1,
            address: 4,
            path: "1-1.3",
            chip: .bcm2711,
            productID: 0x2711,
            stage: .rom,
            target: BulkTarget(interface: 0, endpoint: 1),
            serial: serial,
            isAccessible: true
        )
    }

    @Test func selectors() throws {
        let device = try device(serial: "af04b2da")
        #expect(DeviceSelector().matches(device))
        #expect(DeviceSelector(path: "1-1.3").matches(device))
        #expect(!DeviceSelector(path: "1-1").matches(device))
        #expect(DeviceSelector(id: .init(vendor: 0x0a5c, product: 0x2711)).matches(device))
        #expect(!DeviceSelector(id: .init(vendor: 0x0a5c, product: 0x2712)).matches(device))
        for serial in ["af04b2da", "AF04B2DA", "10000000af04b2da"] {
            #expect(DeviceSelector(serial: serial).matches(device), "\(serial)")
        }
        for serial in ["", "04b2da", "af04b2db", "10000000af04b2db"] {
            #expect(!DeviceSelector(serial: serial).matches(device), "\(serial)")
        }
        #expect(!DeviceSelector(serial: "af04b2da").matches(try self.device(serial: nil)))
        #expect(DeviceSelector(serial: "af04b2da").matches(try self.device(serial: "10000000AF04B2DA")))
    }
}
