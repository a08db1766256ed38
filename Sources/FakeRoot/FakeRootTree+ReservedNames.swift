public import LinuxFiles

extension FakeRootTree {
    /// Whether a name is no file of any tree: something that is being made, or a tree's metadata database with SQLite's
    /// own files beside it.
    public static func isReservedName(_ name: borrowing FileName) -> Bool {
        if isStagingName(name) { return true }
        return name.bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            for suffix in ["-wal", "-shm", "-journal"] where ends(rest, with: suffix) {
                rest = rest.dropLast(suffix.utf8.count)
                break
            }
            return ends(rest, with: DatabaseLocation.suffix) || ends(rest, with: DatabaseLocation.oldSuffix)
        }
    }

    private static func ends(_ bytes: Slice<UnsafeRawBufferPointer>, with suffix: String) -> Bool {
        bytes.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }
}
