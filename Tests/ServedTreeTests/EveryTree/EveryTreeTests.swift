import LinuxFiles
import Testing

/// Every case on every kind of tree.
@Suite("Every tree")
struct EveryTreeTests {
    @Test("does the same", arguments: TreeKind.all, FileSystemCase.all)
    func same(kind: TreeKind, fileSystemCase: FileSystemCase) throws {
        let tree = try kind.make()
        try fileSystemCase.prepare(tree.preparing)
        let files = try tree.open()
        if kind.isReadOnly, let change = fileSystemCase.change {
            let before = try files.snapshot()
            expect(.EROFS) { try change(files) }
            #expect(try files.snapshot() == before)
        } else {
            try fileSystemCase.change?(files)
            try fileSystemCase.check(files)
        }
    }

    @Test("there are cases for each kind of request")
    func cases() {
        #expect(FileSystemCase.all.count >= 50)
        #expect(Set(FileSystemCase.all.map(\.name)).count == FileSystemCase.all.count)
    }
}
