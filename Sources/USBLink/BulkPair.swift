public import USBHost

/// Where a gadget's messages travel: an interface with class ff, subclass ff, protocol 09 and its two bulk endpoints.
///
/// Source: `usb9pfs_intf` in the kernel's `net/9p/trans_usbg.c`.
public struct BulkPair: Hashable, Sendable {
    /// The number of the interface.
    public let interface: Int
    /// The alternate setting that has the endpoints: 0 up to Linux 6.12, 1 in proposed newer kernels.
    public let alternateSetting: Int
    /// The address of the endpoint that carries requests to the host, such as 0x81.
    public let requests: UInt8
    /// The address of the endpoint that carries replies to the board, such as 0x01.
    public let replies: UInt8
    /// Bytes per packet: 64, 512 or 1024 by speed.
    public let maxPacketSize: Int

    /// Whether the endpoints are there only while the board has mounted, and the board gives up requests after some time.
    /// See `MountWait`.
    public var followsMounts: Bool { alternateSetting != 0 }

    /// The first interface of a configuration that speaks 9P; nil if there is none.
    ///
    /// A descriptor that promises larger packets than the speed allows is corrected, as the kernel does for its own use
    /// (`usb_parse_endpoint` in `drivers/usb/core/config.c`): it sends zero-length packets by what it has corrected.
    /// - Parameter packetLimit: bytes of the largest bulk packet at the device's speed.
    public init?(in configuration: Configuration, packetLimit: Int) {
        let pairs = configuration.interfaces.joined().lazy.compactMap { BulkPair($0, packetLimit) }
        guard let pair = pairs.first else { return nil }
        self = pair
    }

    private init?(_ setting: InterfaceSetting, _ packetLimit: Int) {
        let bulk = setting.endpoints.filter(\.isBulk)
        guard setting.kind == InterfaceSetting.Kind(0xff, 0xff, 9),
            let input = bulk.first(where: \.isIn), let output = bulk.first(where: { !$0.isIn }),
            input.packetSize & 0x7ff > 0
        else { return nil }
        interface = setting.interface
        alternateSetting = setting.alternateSetting
        requests = input.address
        replies = output.address
        maxPacketSize = min(Int(input.packetSize & 0x7ff), packetLimit)
    }
}
