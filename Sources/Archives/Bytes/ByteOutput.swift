package import ImageEntries

/// Where the bytes of an archive go.
package protocol ByteOutput: AnyObject {
    func write(_ bytes: UnsafeRawBufferPointer) throws(ImageError)

    /// Writes what is still held back; nothing follows.
    func finish() throws(ImageError)
}

extension ByteOutput {
    package func write(_ bytes: [UInt8]) throws(ImageError) {
        try bytes.span.withUnsafeBytes { (bytes) throws(ImageError) in try write(bytes) }
    }
}
