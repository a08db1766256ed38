internal import CLibUSB

/// What libusb says went wrong: one of `enum libusb_error`, all below zero.
public struct USBError: RawRepresentable, Error, Hashable, Sendable {
    public let rawValue: CInt

    public init(rawValue: CInt) {
        self.rawValue = rawValue
    }

    public static let accessDenied = USBError(rawValue: LIBUSB_ERROR_ACCESS.rawValue)
    public static let noDevice = USBError(rawValue: LIBUSB_ERROR_NO_DEVICE.rawValue)
    public static let notFound = USBError(rawValue: LIBUSB_ERROR_NOT_FOUND.rawValue)
    public static let busy = USBError(rawValue: LIBUSB_ERROR_BUSY.rawValue)
    public static let noMemory = USBError(rawValue: LIBUSB_ERROR_NO_MEM.rawValue)
    public static let inputOutput = USBError(rawValue: LIBUSB_ERROR_IO.rawValue)
    public static let other = USBError(rawValue: LIBUSB_ERROR_OTHER.rawValue)
}

extension USBError: CustomStringConvertible {
    /// libusb's text, such as "Access denied (insufficient permissions)".
    public var description: String { String(cString: libusb_strerror(rawValue)) }
}

/// Turns a libusb result below zero into an error.
@discardableResult
package func checked(_ result: CInt) throws(USBError) -> CInt {
    guard result < 0 else { return result }
    throw USBError(rawValue: result)
}
