/// Which gadget is meant, where a machine may have several: every part that is given must match.
public struct GadgetSelector: Hashable, Sendable {
    /// The port, such as "2-1.1.2".
    public var path: String?
    /// The serial number string.
    public var serial: String?
    /// Vendor and product id.
    public var id: ID?

    public init(path: String? = nil, serial: String? = nil, id: ID? = nil) {
        self.path = path
        self.serial = serial
        self.id = id
    }

    public func matches(_ gadget: Gadget) -> Bool {
        (path == nil || path == gadget.path)
            && (serial == nil || serial == gadget.serial)
            && (id == nil || id == ID(vendor: gadget.vendorID, product: gadget.productID))
    }

    /// A vendor and product id.
    public struct ID: Hashable, Sendable {
        public var vendor: UInt16
        public var product: UInt16

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
}

extension GadgetSelector: CustomStringConvertible {
    /// For messages: "at port 2-1.1.2 with serial number 123", or "" if any gadget is meant.
    public var description: String {
        var parts: [String] = []
        if let path { parts.append("at port \(path)") }
        if let serial { parts.append("with serial number \(serial)") }
        if let id { parts.append("with id \(id)") }
        return parts.joined(separator: " ")
    }
}

extension GadgetSelector.ID: CustomStringConvertible {
    /// The form of `lsusb`: "1d6b:0109".
    public var description: String { Self.digits(vendor) + ":" + Self.digits(product) }

    private static func digits(_ value: UInt16) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
}
