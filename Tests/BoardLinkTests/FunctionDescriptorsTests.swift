import BoardLink
import Testing

@Suite("FunctionFS descriptors")
struct FunctionDescriptorsTests {
    private var descriptors: [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: FunctionDescriptors.size)
        bytes.withUnsafeMutableBytes { FunctionDescriptors.write(into: $0) }
        return bytes
    }

    @Test("a bulk pair for each speed, in the form that the kernel reads")
    func bytes() {
        let interface: [UInt8] = [9, 4, 0, 0, 2, 0xff, 0xff, 9, 1]
        func endpoints(_ low: UInt8, _ high: UInt8, _ companion: [UInt8]) -> [UInt8] {
            [7, 5, 0x81, 2, low, high, 0] + companion + [7, 5, 0x02, 2, low, high, 0] + companion
        }
        let head: [UInt8] = [3, 0, 0, 0, 105, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0]
        #expect(
            descriptors == head + interface + endpoints(64, 0, []) + interface + endpoints(0, 2, []) + interface
                + endpoints(0, 4, [6, 0x30, 0, 0, 0, 0])
        )
    }

    @Test("the interface's name, in English")
    func strings() {
        var bytes = [UInt8](repeating: 0xee, count: FunctionDescriptors.stringsSize)
        bytes.withUnsafeMutableBytes { FunctionDescriptors.writeStrings(into: $0) }
        #expect(bytes == [2, 0, 0, 0, 26, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 4] + Array("usb9pfs".utf8) + [0])
    }
}
