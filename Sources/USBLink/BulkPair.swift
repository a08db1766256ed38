internal import CLibUSB

/// Where a gadget's messages travel: an interface with class ff, subclass ff, protocol 09 and its two bulk endpoints.
///
/// Source: `usb9pfs_intf` in the kernel's `net/9p/trans_usbg.c`.
public struct BulkPair: Hashable, Sendable {
    public let interface: Int
    /// The alternate setting that has the endpoints: 0 up to Linux 6.12, 1 in proposed newer kernels.
    public let alternateSetting: Int
    /// The address of the endpoint that carries requests to the host, such as 0x81.
    public let requests: UInt8
    /// The address of the endpoint that carries replies to the board, such as 0x01.
    public let replies: UInt8
    /// Bytes per packet: 64, 512 or 1024 by speed.
    public let maxPacketSize: Int

    /// The first interface of a configuration that speaks 9P; nil if there is none.
    ///
    /// A descriptor that promises larger packets than the speed allows is corrected, as the kernel does for its own use
    /// (`usb_parse_endpoint` in `drivers/usb/core/config.c`): it sends zero-length packets by what it has corrected.
    /// - Parameter packetLimit: bytes of the largest bulk packet at the device's speed.
    init?(in configuration: libusb_config_descriptor, packetLimit: Int) {
        for index in 0..<Int(configuration.bNumInterfaces) {
            let interface = configuration.interface[index]
            for setting in 0..<Int(interface.num_altsetting) {
                if let pair = BulkPair(interface.altsetting[setting], packetLimit) {
                    self = pair
                    return
                }
            }
        }
        return nil
    }

    private init?(_ setting: libusb_interface_descriptor, _ packetLimit: Int) {
        guard setting.bInterfaceClass == 0xff, setting.bInterfaceSubClass == 0xff, setting.bInterfaceProtocol == 9
        else { return nil }
        var input: libusb_endpoint_descriptor?
        var output: libusb_endpoint_descriptor?
        for index in 0..<Int(setting.bNumEndpoints) {
            let endpoint = setting.endpoint[index]
            guard endpoint.bmAttributes & 3 == UInt8(LIBUSB_ENDPOINT_TRANSFER_TYPE_BULK.rawValue) else { continue }
            if endpoint.bEndpointAddress & UInt8(LIBUSB_ENDPOINT_IN.rawValue) != 0 {
                input = input ?? endpoint
            } else {
                output = output ?? endpoint
            }
        }
        guard let input, let output, input.wMaxPacketSize & 0x7ff > 0 else { return nil }
        interface = Int(setting.bInterfaceNumber)
        alternateSetting = Int(setting.bAlternateSetting)
        requests = input.bEndpointAddress
        replies = output.bEndpointAddress
        maxPacketSize = min(Int(input.wMaxPacketSize & 0x7ff), packetLimit)
    }
}
