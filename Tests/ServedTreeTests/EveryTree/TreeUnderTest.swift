import LinuxFiles
import ServedTree
import TestSupport
import Testing

/// A tree that the cases run on.
struct TreeUnderTest {
    /// Makes what a case needs to be there already.
    let preparing: any FileSystemUnderTest
    /// Gives what is tested, once that is there: the same as `preparing` unless it can't be changed. A read-only export that was
    /// there before would take a moment to see a database that another one makes.
    let open: () throws -> any FileSystemUnderTest
}

/// A kind of tree. Another one joins with a line in `all`.
struct TreeKind: Sendable, CustomTestStringConvertible {
    let name: String
    /// Every change is `EROFS`.
    var isReadOnly = false
    var isPossible = true
    let make: @Sendable () throws -> TreeUnderTest

    var testDescription: String { name }

    static let all: [TreeKind] = [
        TreeKind(name: "attributes") { try served(TemporaryDirectory()) },
        TreeKind(name: "database only", isPossible: Ramfs.isPossible) { try served(InRamfs()) },
        TreeKind(name: "attributes, read-only", isReadOnly: true) {
            try served(TemporaryDirectory(), isReadOnly: true)
        },
        TreeKind(name: "database only, read-only", isReadOnly: true, isPossible: Ramfs.isPossible) {
            try served(InRamfs(), isReadOnly: true)
        },
    ].filter(\.isPossible)

    private static func served(_ directory: any HostFiles, isReadOnly: Bool = false) throws -> TreeUnderTest {
        let client = TestClient(keeping: directory)
        let files = try ServedFiles(Export(directory: directory.path), client)
        return TreeUnderTest(preparing: files) {
            isReadOnly ? try ServedFiles(Export(directory: directory.path, isReadOnly: true), client) : files
        }
    }
}

/// A directory on a file system without attributes, which goes away with this.
private final class InRamfs: HostFiles {
    private let ramfs: Ramfs
    var path: String { ramfs.tree.path }

    init() throws {
        ramfs = try Ramfs()
    }
}
