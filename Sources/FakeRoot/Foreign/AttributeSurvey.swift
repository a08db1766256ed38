internal import LinuxFiles

/// Notes what attributes of fake-root tools the files of a directory have, ours among them.
struct AttributeSurvey {
    /// The first find of another tool.
    private(set) var found: ForeignMetadata?
    /// Whether a label of ours was met.
    private(set) var hasLabels = false
    private let trust: FileTrust

    init(_ trust: FileTrust) {
        self.trust = trust
    }

    private static let names: [(tool: ForeignMetadata.Tool, prefix: StaticString)] = [
        (.rsync, "user.rsync."), (.virtfs, "user.virtfs."), (.rootlesscontainers, "user.rootlesscontainers"),
    ]
    private static let ourNames: [StaticString] = ["user.containers.override_", "user.fuseoverlayfs.override_stat"]
    /// Where QEMU's mapped-file mode keeps what it knows.
    private static let metadataNames: [StaticString] = [".virtfs_metadata", ".virtfs_metadata_root"]

    /// A directory on the way, and what is left to be looked at in it.
    private final class Level {
        let directory: OwnedDescriptor
        let path: [UInt8]
        var rest: ArraySlice<[UInt8]>

        /// - Parameter directory: O_PATH is enough.
        init(_ directory: CInt, _ path: [UInt8]) throws(Errno) {
            self.directory = try System.open(at: directory, ".", [.readOnly, .directory])
            self.path = path
            let names = try System.names(in: self.directory.raw)
            rest = names.sorted { $0.lexicographicallyPrecedes($1) }[...]
        }
    }

    /// Looks at a directory's first files: a directory before what is in it, names in the order of their bytes. What can't be
    /// opened is passed over. Symbolic links are not followed.
    mutating func look(at root: borrowing OwnedDescriptor, maxFiles: Int) {
        guard let host = try? System.status(of: root.raw), let top = try? Level(root.raw, []) else { return }
        look(at: root.raw, host, ".")
        var levels = [top]
        var count = 1
        while let level = levels.last, count < maxFiles, !hasLabels {
            guard let bytes = level.rest.popFirst() else {
                levels.removeLast()
                continue
            }
            count += 1
            guard let opened = Self.open(bytes, in: level.directory.raw),
                let host = try? System.status(of: opened.raw)
            else { continue }
            let path = level.path.isEmpty ? bytes : level.path + [UInt8(ascii: "/")] + bytes
            if Self.metadataNames.contains(where: { bytes.elementsEqual(Self.bytes($0)) }) {
                note(.virtfsFile, opened.raw, host, printable(path))
                continue
            }
            look(at: opened.raw, host, printable(path))
            if host.format == .directory, let inner = try? Level(opened.raw, path) { levels.append(inner) }
        }
    }

    /// Looks for what QEMU's mapped-file mode keeps in a directory.
    mutating func lookForMetadata(in directory: CInt, _ path: @autoclosure () -> String) {
        for name in Self.metadataNames {
            guard let opened = try? System.open(at: directory, name.cString, [.path, .noFollow]),
                let host = try? System.status(of: opened.raw)
            else { continue }
            note(.virtfsFile, opened.raw, host, "\(path())/\(name)")
        }
    }

    /// - Returns: nil for a name of ours, and what can't be opened.
    private static func open(_ bytes: [UInt8], in directory: CInt) -> OwnedDescriptor? {
        do throws(Errno) {
            let name = try FileName(bytes.span.bytes)
            guard !FakeRootTree.isReservedName(name) else { return nil }
            return try name.withCString { (name) throws(Errno) in
                try System.open(at: directory, name, [.path, .noFollow])
            }
        } catch {
            return nil
        }
    }

    /// Looks at one file.
    /// - Parameter name: what the file is called if something is found.
    mutating func look(at descriptor: CInt, _ host: FileStatus, _ name: @autoclosure () -> String) {
        // Links and special files can't carry attributes of any of these tools.
        guard host.format == .regular || host.format == .directory,
            let listed = try? System.listAttributes(of: descriptor), !listed.isEmpty
        else { return }
        for attribute in listed.split(separator: 0) {
            if Self.ourNames.contains(where: { attribute.starts(with: Self.bytes($0)) }) {
                if trust.covers(descriptor, host) { hasLabels = true }
            } else if let tool = Self.names.first(where: { attribute.starts(with: Self.bytes($0.prefix)) })?.tool {
                note(tool, descriptor, host, name())
            }
        }
    }

    private mutating func note(
        _ tool: ForeignMetadata.Tool,
        _ descriptor: CInt,
        _ host: FileStatus,
        _ name: @autoclosure () -> String
    ) {
        // Another user's file tells nothing of the directory's.
        guard found == nil, trust.covers(descriptor, host) else { return }
        found = ForeignMetadata(tool: tool, evidence: name())
    }

    private static func bytes(_ text: StaticString) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}
