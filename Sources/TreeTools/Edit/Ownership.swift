internal import CommandSupport
public import RootfsImage

/// What `chown` is told: "OWNER", "OWNER:GROUP", ":GROUP" or, for the owner's number as group too, "OWNER:".
public struct Ownership {
    private let text: String

    /// Takes the text as it is; `numbers` reads it.
    public init(_ text: String) {
        self.text = text
    }

    /// The numbers of the owner and the group in the tree; nil for one that is not named.
    /// - Throws: `CommandFailure` for a name that the board doesn't have.
    public func numbers(_ names: AccountNames) throws -> (uid: UInt32?, gid: UInt32?) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let uid = parts[0].isEmpty ? nil : try user(parts[0], names)
        guard parts.count == 2 else { return (uid, nil) }
        if parts[1].isEmpty { return (uid, uid) }
        return (uid, try group(parts[1], names))
    }

    private func user(_ name: String, _ names: AccountNames) throws -> UInt32 {
        guard let number = names.userNumber(name) else { throw Self.failure("user", name, "etc/passwd") }
        return number
    }

    private func group(_ name: String, _ names: AccountNames) throws -> UInt32 {
        guard let number = names.groupNumber(name) else { throw Self.failure("group", name, "etc/group") }
        return number
    }

    private static func failure(_ kind: String, _ name: String, _ file: String) -> CommandFailure {
        if !name.isEmpty, name.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            return CommandFailure(.badInput, "Linux has no \(kind) \(name): the largest number is \(UInt32.max - 1)")
        }
        return CommandFailure(
            .badInput,
            "the board has no \(kind) '\(name)'",
            advice: "Names are looked up in the tree's \(file), which --tree DIR names. Numbers always work."
        )
    }
}
