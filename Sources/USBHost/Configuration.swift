internal import CLibUSB

/// A device's active configuration, as its descriptors tell. A device may say anything: see USB 2.0, 9.6.
public struct Configuration: Hashable, Sendable {
    /// bConfigurationValue.
    public var value: Int
    /// The interfaces, each with its alternate settings; one that is only announced has no settings.
    public var interfaces: [[InterfaceSetting]]

    /// A configuration of a device.
    public init(value: Int = 1, interfaces: [[InterfaceSetting]]) {
        self.value = value
        self.interfaces = interfaces
    }
}

/// An alternate setting of an interface.
public struct InterfaceSetting: Hashable, Sendable {
    /// bInterfaceNumber.
    public var interface: Int
    /// bAlternateSetting.
    public var alternateSetting: Int
    /// Class, subclass and protocol.
    public var kind: Kind
    /// The endpoints besides endpoint 0.
    public var endpoints: [Endpoint]

    /// A setting of an interface.
    public init(interface: Int, alternateSetting: Int = 0, kind: Kind, endpoints: [Endpoint]) {
        self.interface = interface
        self.alternateSetting = alternateSetting
        self.kind = kind
        self.endpoints = endpoints
    }

    /// bInterfaceClass, bInterfaceSubClass and bInterfaceProtocol.
    public struct Kind: Hashable, Sendable {
        /// bInterfaceClass.
        public var interfaceClass: UInt8
        /// bInterfaceSubClass.
        public var subclass: UInt8
        /// bInterfaceProtocol.
        public var interfaceProtocol: UInt8

        /// Class, subclass and protocol.
        public init(_ interfaceClass: UInt8, _ subclass: UInt8, _ interfaceProtocol: UInt8) {
            self.interfaceClass = interfaceClass
            self.subclass = subclass
            self.interfaceProtocol = interfaceProtocol
        }
    }

    /// An endpoint's descriptor.
    public struct Endpoint: Hashable, Sendable {
        /// bEndpointAddress, such as 0x81; bit 7 is set for IN, to the host.
        public var address: UInt8
        /// bmAttributes; bits 0 and 1 are the kind of transfer.
        public var attributes: UInt8
        /// wMaxPacketSize as it stands there: bits 0 to 10 are bytes.
        public var packetSize: UInt16

        /// An endpoint, by the fields of its descriptor.
        /// - Parameters: bEndpointAddress, bmAttributes, and wMaxPacketSize in bytes.
        public init(address: UInt8, attributes: UInt8, packetSize: UInt16) {
            self.address = address
            self.attributes = attributes
            self.packetSize = packetSize
        }

        /// Whether it is a bulk endpoint.
        public var isBulk: Bool { attributes & 3 == 2 }
        /// Whether it carries data to the host.
        public var isIn: Bool { address & 0x80 != 0 }
    }
}

extension Configuration {
    init(_ raw: libusb_config_descriptor) {
        value = Int(raw.bConfigurationValue)
        interfaces = list(raw.interface, raw.bNumInterfaces).map { interface in
            list(interface.altsetting, interface.num_altsetting).map(InterfaceSetting.init)
        }
    }
}

extension InterfaceSetting {
    fileprivate init(_ raw: libusb_interface_descriptor) {
        interface = Int(raw.bInterfaceNumber)
        alternateSetting = Int(raw.bAlternateSetting)
        kind = Kind(raw.bInterfaceClass, raw.bInterfaceSubClass, raw.bInterfaceProtocol)
        endpoints = list(raw.endpoint, raw.bNumEndpoints).map {
            Endpoint(address: $0.bEndpointAddress, attributes: $0.bmAttributes, packetSize: $0.wMaxPacketSize)
        }
    }
}

/// An array of libusb's; none where the pointer is null.
private func list<Element>(_ start: UnsafePointer<Element>?, _ count: some BinaryInteger) -> UnsafeBufferPointer<
    Element
> {
    UnsafeBufferPointer(start: start, count: start == nil ? 0 : Int(count))
}
