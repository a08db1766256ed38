/// The vendor and product id of a device descriptor.
public struct DeviceID: Hashable, Sendable {
    /// idVendor.
    public var vendor: UInt16
    /// idProduct.
    public var product: UInt16

    /// Both numbers of a device.
    public init(vendor: UInt16, product: UInt16) {
        self.vendor = vendor
        self.product = product
    }

    /// Reads the form "1d6b:0109": hexadecimal, one to four digits each, with "0x" before them or without; nil if it
    /// is anything else.
    public init?(parsing text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            .map { $0.hasPrefix("0x") ? $0.dropFirst(2) : $0 }
        guard parts.count == 2, parts.allSatisfy({ $0.allSatisfy(\.isHexDigit) }),
            let vendor = UInt16(parts[0], radix: 16), let product = UInt16(parts[1], radix: 16)
        else { return nil }
        self.init(vendor: vendor, product: product)
    }
}

extension DeviceID: CustomStringConvertible {
    /// The form of `lsusb`: "1d6b:0109".
    public var description: String { Self.digits(vendor) + ":" + Self.digits(product) }

    private static func digits(_ value: UInt16) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
}
