public import FakeRoot

extension CommandFailure {
    /// The failure for a file or directory with another tool's metadata.
    /// - Parameters:
    ///   - path: as the user wrote it.
    ///   - directory: what the metadata are about, the same or one above.
    public init(_ found: ForeignMetadata, of path: String, in directory: String) {
        let refusal = found.refusal(of: path, in: directory)
        self.init(.badInput, refusal.message, advice: refusal.hint)
    }
}
