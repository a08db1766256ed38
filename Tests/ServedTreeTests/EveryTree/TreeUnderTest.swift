import LinuxFiles
import ServedTree
import TestSupport
import Testing

/// A tree that the cases run on.
struct TreeUnderTest {
    /// What is tested.
    let files: any FileSystemUnderTest
    /// Makes what a case needs to be there already; the same as `files` unless that can't be changed.
    let preparing: any FileSystemUnderTest
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
        guard isReadOnly else { return TreeUnderTest(files: files, preparing: files) }
        let export = try Export(directory: directory.path, isReadOnly: true)
        return TreeUnderTest(files: try ServedFiles(export, client), preparing: files)
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
