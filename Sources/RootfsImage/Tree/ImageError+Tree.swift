internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

extension ImageError {
    /// Opens a tree of ours.
    /// - Parameters:
    ///   - action: what can't be done, if it fails, and to what, such as "can't open rootfs".
    ///   - open: gets what `FakeRootTree` is to warn by.
    /// - Throws: `system` with what the tree has warned of, for a database that can't be used; and what opening gives.
    static func openTree(
        _ action: @autoclosure () -> String,
        _ open: (_ warn: @escaping @Sendable (String) -> Void) throws(Errno) -> FakeRootTree
    ) throws(ImageError) -> FakeRootTree {
        let warning = Monitor("")
        do throws(Errno) {
            return try open { text in warning.update { $0 = text } }
        } catch {
            // A sentence, and in further lines what to do.
            let lines = warning.update { $0 }.split(separator: "\n", maxSplits: 1).map(String.init)
            guard error == .EIO, let message = lines.first else { throw ImageError(action(), error) }
            throw ImageError(.system, message, hint: lines.count > 1 ? lines[1] : nil, cause: error)
        }
    }
}
