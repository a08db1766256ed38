/// A layer of a container image: a tar archive, compressed or not, and what its content must be.
package struct ImageLayer: Hashable, Sendable {
    /// In the layout.
    package var path: String
    /// What it must have, in bytes; nil if nobody says.
    package var size: UInt64?
    /// The 64 digits of the SHA-256 of the file as it is; nil if nobody says.
    package var digest: String?
    /// The same of the archive in it, decompressed.
    package var contentDigest: String?
}
