/// Where in an image a file system is.
struct ImagePlace: Hashable {
    /// In bytes.
    var offset: UInt64
    /// In bytes.
    var size: UInt64
}
