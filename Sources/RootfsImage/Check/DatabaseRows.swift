internal import FakeRoot
internal import LinuxFiles

/// The files that the database has rows for, to be ticked off as they are met.
struct DatabaseRows {
    /// The handles of files that the walk did not meet.
    private(set) var unmet: Set<FileHandle> = []
    private(set) var labelCount = 0
    private(set) var attributeCount = 0

    /// No rows, as without a database.
    init() {}

    init(of tree: FakeRootTree) throws(Errno) {
        try tree.forEachLabelRow { file, _ in
            unmet.insert(file)
            labelCount += 1
        }
        try tree.forEachAttributeRow { row in
            unmet.insert(row.file)
            attributeCount += 1
        }
    }

    mutating func meet(_ descriptor: CInt, in tree: FakeRootTree) throws(Errno) {
        guard !unmet.isEmpty else { return }
        unmet.remove(try tree.handle(of: descriptor))
    }
}
