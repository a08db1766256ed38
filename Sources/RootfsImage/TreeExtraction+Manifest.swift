internal import FakeRoot
internal import LinuxFiles

/// What the import remembers of the files it made.
extension TreeExtraction {
    func record(_ path: EntryPath, _ entry: ImageEntry, hash: [UInt8]? = nil) {
    }

    func recordLink(_ path: EntryPath, to target: EntryPath, hash: [UInt8]?, size: UInt64) {
    }

    /// Forgets a path and all beneath it.
    func removed(_ path: [UInt8]) {
    }
}
