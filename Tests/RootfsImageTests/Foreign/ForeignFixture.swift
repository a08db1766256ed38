import FakeRoot
import ImageEntries
import LinuxFiles
import TestSupport
import Testing

@testable import RootfsImage

/// A directory in which real tools make trees, and what is read of them.
struct ForeignFixture {
    let host: TemporaryDirectory

    init() throws {
        host = try TemporaryDirectory()
    }

    /// Runs a shell script in the fixture's directory.
    @discardableResult
    func shell(_ script: String, _ location: SourceLocation = #_sourceLocation) throws -> String {
        let result = try run("sh", "-ec", "umask 022; cd \"$1\"\n\(script)", "sh", host.path)
        try #require(result.status == 0, "\(result.output)", sourceLocation: location)
        return result.output
    }

    /// Runs a script under pseudo, whose database is written when it ends.
    @discardableResult
    func pseudo(_ script: String, state: String = "state", _ location: SourceLocation = #_sourceLocation) throws
        -> String
    {
        try host.write("pseudo.sh", "set -e\n\(script)\n")
        return try shell(
            """
            mkdir -p \(state)
            export PSEUDO_PREFIX=/usr PSEUDO_LOCALSTATEDIR="$PWD/\(state)"
            status=0
            pseudo sh pseudo.sh || status=$?
            pseudo -S
            # The database is written when the server has ended; in a container it may stay as a zombie.
            if [ -e \(state)/pseudo.pid ]; then
                while grep -qs ' (pseudo) [^ZX]' "/proc/$(cat \(state)/pseudo.pid)/stat"; do sleep 0.05; done
            fi
            exit $status
            """,
            location
        )
    }

    /// All entries of a directory, by path; "." is the root.
    func entries(
        _ name: String = "root",
        _ kind: MetadataKind? = nil,
        metadata: String? = nil
    ) throws(ImageError) -> Listing {
        let evidence = kind == nil ? try MetadataEvidence(host.file(name), metadata: metadata) : nil
        let source = try ForeignDirectorySource(
            host.file(name),
            kind ?? evidence?.kind ?? .plain,
            metadata: metadata ?? evidence?.file
        )
        var listing = Listing()
        while let entry = try source.next() {
            let path = String(decoding: entry.path, as: UTF8.self)
            listing.order.append(path)
            listing.entries[path] = entry
            if let notice = source.notice { listing.notices.append("\(path): \(notice)") }
            var content: [UInt8] = []
            try source.forEachBlock { (block, offset) throws(ImageError) -> Void in
                content += [UInt8](repeating: 0, count: Int(offset) - content.count) + Array(block)
            }
            if entry.kind == .file { listing.contents[path] = String(decoding: content, as: UTF8.self) }
        }
        try source.finish()
        listing.notices += source.closingNotices
        return listing
    }

    struct Listing {
        var order: [String] = []
        var entries: [String: ImageEntry] = [:]
        var contents: [String: String] = [:]
        var notices: [String] = []

        /// "MODE UID:GID KIND", with the device's numbers or the target.
        subscript(path: String) -> String? {
            guard let entry = entries[path] else { return nil }
            let kind =
                switch entry.body {
                case .file: "file"
                case .directory: "dir"
                case .symlink(let target): "-> \(String(decoding: target, as: UTF8.self))"
                case .hardLink(let target): "== \(String(decoding: target, as: UTF8.self))"
                case .special(.pipe): "pipe"
                case .special(.socket): "socket"
                case .special(.block(let major, let minor)): "b \(major),\(minor)"
                case .special(.character(let major, let minor)): "c \(major),\(minor)"
                case .special: "?"
                }
            if case .hardLink = entry.body { return kind }
            return "\(String(entry.permissions, radix: 8)) \(entry.owner.uid):\(entry.owner.gid) \(kind)"
        }

        func attribute(_ name: String, of path: String) -> [UInt8]? {
            entries[path]?.attributes.first { $0.name.elementsEqual(name.utf8) }?.value
        }
    }

    /// What reading a directory gives that must not be read.
    func refusal(
        _ name: String = "root",
        _ kind: MetadataKind? = nil,
        metadata: String? = nil,
        _ location: SourceLocation = #_sourceLocation
    ) throws -> ImageError {
        var failure: ImageError?
        do throws(ImageError) {
            _ = try entries(name, kind, metadata: metadata)
        } catch {
            failure = error
        }
        return try #require(failure, "it was read", sourceLocation: location)
    }

    /// A version 2 value of security.capability: cap_net_raw, permitted and effective.
    static let netRaw: [UInt8] = [1, 0, 0, 2, 0, 0x20] + [UInt8](repeating: 0, count: 14)
    static let netRawHex = "0x0100000200200000000000000000000000000000"
}
