/// What a program writes to FunctionFS' ep0 to make a USB function: one interface ff/ff/09 with a bulk pair, as the kernel's own
/// driver has it, for full, high and super speed.
///
/// Source: `struct usb_functionfs_descs_head_v2` and `struct usb_functionfs_strings_head` in the kernel's
/// `include/uapi/linux/usb/functionfs.h`; chapter 9 of the USB specifications. All numbers are little-endian.
public enum FunctionDescriptors {
    /// Bytes of the descriptors.
    public static let size = 24 + 2 * 23 + 35
    /// Bytes of the strings.
    public static let stringsSize = 26

    /// Writes the descriptors.
    /// - Parameter bytes: `size` bytes.
    public static func write(into bytes: UnsafeMutableRawBufferPointer) {
        var output = OutputRawSpan(buffer: bytes, initializedCount: 0)
        put(3 as UInt32, &output)  // FUNCTIONFS_DESCRIPTORS_MAGIC_V2
        put(UInt32(size), &output)
        put(1 | 2 | 4 as UInt32, &output)  // FUNCTIONFS_HAS_FS_DESC, HAS_HS_DESC, HAS_SS_DESC
        put(3 as UInt32, &output)  // descriptors for full speed, for high speed,
        put(3 as UInt32, &output)
        put(5 as UInt32, &output)  // and for super speed
        writeFunction(packetSize: 64, &output)
        writeFunction(packetSize: 512, &output)
        writeFunction(packetSize: 1024, &output)
        _ = output.finalize(for: bytes)
    }

    private static func writeFunction(packetSize: UInt16, _ output: inout OutputRawSpan) {
        put(9 as UInt8, &output)
        put(4 as UInt8, &output)  // USB_DT_INTERFACE
        put(0 as UInt8, &output)
        put(0 as UInt8, &output)
        put(2 as UInt8, &output)  // endpoints
        put(0xff as UInt8, &output)
        put(0xff as UInt8, &output)
        put(9 as UInt8, &output)
        put(1 as UInt8, &output)  // its name is string 1
        writeEndpoint(0x81, packetSize: packetSize, &output)
        writeEndpoint(0x02, packetSize: packetSize, &output)
    }

    private static func writeEndpoint(_ address: UInt8, packetSize: UInt16, _ output: inout OutputRawSpan) {
        put(7 as UInt8, &output)
        put(5 as UInt8, &output)  // USB_DT_ENDPOINT
        put(address, &output)
        put(2 as UInt8, &output)  // bulk
        put(packetSize, &output)
        put(0 as UInt8, &output)
        guard packetSize == 1024 else { return }
        put(6 as UInt8, &output)
        put(0x30 as UInt8, &output)  // USB_DT_SS_ENDPOINT_COMP: no bursts, no streams
        put(0 as UInt32, &output)
    }

    /// Writes the strings: the interface's name in English.
    /// - Parameter bytes: `stringsSize` bytes.
    public static func writeStrings(into bytes: UnsafeMutableRawBufferPointer) {
        var output = OutputRawSpan(buffer: bytes, initializedCount: 0)
        put(2 as UInt32, &output)  // FUNCTIONFS_STRINGS_MAGIC
        put(UInt32(stringsSize), &output)
        put(1 as UInt32, &output)  // strings
        put(1 as UInt32, &output)  // languages
        put(0x409 as UInt16, &output)
        put(UInt64(littleEndian: 0x0073_6670_3962_7375), &output)  // "usb9pfs"
        _ = output.finalize(for: bytes)
    }

    private static func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, _ output: inout OutputRawSpan) {
        output.append(value.littleEndian, as: Value.self)
    }
}
