import LinuxFiles
import Testing

/// Something that every file system does alike.
struct FileSystemCase: Sendable, CustomTestStringConvertible {
    typealias Step = @Sendable (any FileSystemUnderTest) throws -> Void

    let name: String
    /// Makes what must be there already.
    let prepare: Step
    /// The change, if there is one: one that can't be changed refuses it with EROFS.
    let change: Step?
    /// Looks at what there is after the change, or, without one, after the preparation.
    let check: Step

    /// A case of reading: all that there is.
    init(_ name: String, _ prepare: @escaping Step, check: @escaping Step) {
        self.name = name
        self.prepare = prepare
        change = nil
        self.check = check
    }

    init(
        _ name: String,
        _ prepare: @escaping Step = { _ in },
        change: @escaping Step,
        check: @escaping Step = { _ in }
    ) {
        self.name = name
        self.prepare = prepare
        self.change = change
        self.check = check
    }

    var testDescription: String { name }

    static let all = reading + making + naming + content + attributes
}

/// Expects an errno.
func expect(
    _ errno: Errno,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) {
    #expect(throws: errno, sourceLocation: sourceLocation) { try body() }
}
