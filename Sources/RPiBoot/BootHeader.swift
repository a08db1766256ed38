/// What the boot ROM wants before its file: length[4] signature[20].
///
/// Little-endian; the signature is all zeros where nothing is signed. BCM2711 and BCM2712 check signatures in another
/// way.
public struct BootHeader: Sendable {
    /// Bytes of a header.
    public static let size = 24
    /// Bytes of the signature in it.
    public static let signatureSize = 20

    /// Bytes of the file that follows.
    public var length: UInt32
    /// `signatureSize` bytes; all zeros if nothing is signed.
    public var signature: [UInt8]

    /// The header of a file to be sent.
    /// - Parameter signature: 20 bytes, or nil for none.
    public init(length: UInt32, signature: [UInt8]? = nil) {
        precondition(signature == nil || signature?.count == Self.signatureSize, "a signature has 20 bytes")
        self.length = length
        self.signature = signature ?? [UInt8](repeating: 0, count: Self.signatureSize)
    }

    /// As they are sent.
    public var bytes: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + signature }
}
