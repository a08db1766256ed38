import Testing

@testable import USBHost

@Suite struct DeviceSelectorTests {
    @Test func parsesIDs() {
        #expect(DeviceID(parsing: "1d6b:0109") == .init(vendor: 0x1d6b, product: 0x0109))
        #expect(DeviceID(parsing: "1D6B:109") == .init(vendor: 0x1d6b, product: 0x0109))
        #expect(DeviceID(parsing: "0x1d6b:0x0109") == .init(vendor: 0x1d6b, product: 0x0109))
        for text in ["", ":", "1d6b", "1d6b:", "1d6b:0109:1", "1d6b:x", "+1:2", "12345:1", "1d6b: 109"] {
            #expect(DeviceID(parsing: text) == nil, "\(text)")
        }
    }
}

@Suite struct DeviceDescriptionTests {
    @Test func idsAndNodesArePadded() {
        #expect("\(DeviceID(vendor: 0x1d6b, product: 0x9))" == "1d6b:0009")
        let selector = DeviceSelector(path: "2-1", serial: "x", id: .init(vendor: 1, product: 2))
        #expect("\(selector)" == "at port 2-1 with serial number x with id 0001:0002")
        #expect("\(DeviceSelector())" == "")
    }
}
