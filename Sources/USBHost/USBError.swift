internal import CLibUSB

/// What libusb says went wrong: one of `enum libusb_error`, all below zero.
public struct USBError: RawRepresentable, Error, Hashable, Sendable {
    /// libusb's number, below 0.
    public let rawValue: CInt

    /// Takes libusb's number.
    public init(rawValue: CInt) {
        self.rawValue = rawValue
    }

    /// LIBUSB_ERROR_ACCESS.
    public static let accessDenied = USBError(rawValue: LIBUSB_ERROR_ACCESS.rawValue)
    /// LIBUSB_ERROR_NO_DEVICE.
    public static let noDevice = USBError(rawValue: LIBUSB_ERROR_NO_DEVICE.rawValue)
    /// LIBUSB_ERROR_NOT_FOUND.
    public static let notFound = USBError(rawValue: LIBUSB_ERROR_NOT_FOUND.rawValue)
    /// LIBUSB_ERROR_BUSY.
    public static let busy = USBError(rawValue: LIBUSB_ERROR_BUSY.rawValue)
    /// LIBUSB_ERROR_NO_MEM.
    public static let noMemory = USBError(rawValue: LIBUSB_ERROR_NO_MEM.rawValue)
    /// LIBUSB_ERROR_IO.
    public static let inputOutput = USBError(rawValue: LIBUSB_ERROR_IO.rawValue)
    /// LIBUSB_ERROR_OTHER.
    public static let other = USBError(rawValue: LIBUSB_ERROR_OTHER.rawValue)
}

extension USBError: CustomStringConvertible {
    /// libusb's text, such as "Access denied (insufficient permissions)".
    public var description: String { String(cString: libusb_strerror(rawValue)) }
}

/// Turns a libusb result below zero into an error.
/// - Throws: `USBError` with the result.
@discardableResult
package func checked(_ result: CInt) throws(USBError) -> CInt {
    guard result < 0 else { return result }
    throw USBError(rawValue: result)
}
