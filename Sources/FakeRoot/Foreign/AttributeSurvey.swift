internal import LinuxFiles

/// Notes what attributes of fake-root tools the files of a directory have, ours among them.
struct AttributeSurvey {
    /// The first find of another tool.
    private(set) var found: ForeignMetadata?
    /// The first file that has a label of ours; printable.
    private(set) var label: String?
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
        var rest: ArraySlice<Entry>

        struct Entry {
            let name: [UInt8]
            /// As in `readdir(3)`.
            let type: UInt8
        }

        /// - Parameter directory: O_PATH is enough.
        init(_ directory: CInt, _ path: [UInt8]) throws(Errno) {
            self.directory = try System.open(at: directory, ".", [.readOnly, .directory])
            self.path = path
            rest = try Self.firstEntries(self.directory.raw).sorted { $0.name.lexicographicallyPrecedes($1.name) }[...]
        }

        /// Some hundred of them: a directory may hold millions.
        private static func firstEntries(_ directory: CInt) throws(Errno) -> [Entry] {
            try withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 8) { (buffer) throws(Errno) in
                let used = try System.readDirectory(directory, into: buffer)
                var entries: [Entry] = []
                // struct linux_dirent64: d_ino[8] d_off[8] d_reclen[2] d_type[1] d_name, in the host's byte order.
                var start = 0
                while start < used {
                    let length = Int(buffer.loadUnaligned(fromByteOffset: start + 16, as: UInt16.self))
                    let name = buffer[(start + 19)..<(start + length)].prefix { $0 != 0 }
                    entries.append(Entry(name: Array(name), type: buffer[start + 18]))
                    start += length
                }
                return entries
            }
        }
    }

    /// Looks at a directory's first files: a directory before what is in it, names in the order of their bytes. What can't be
    /// opened is passed over. Symbolic links are not followed, and no other file system is entered: it may be stalled.
    ///
    /// One system call for most files: a server does this before it starts.
    /// - Parameters:
    ///   - directories: which of its own directories are entered; nil for all of them.
    ///   - prefix: what stands before the names of what is found, such as "/srv/tree/".
    mutating func look(
        at root: borrowing OwnedDescriptor,
        maxFiles: Int,
        directories: Set<[UInt8]>? = nil,
        prefix: String = ""
    ) {
        guard let host = try? System.status(of: root.raw), let top = try? Level(root.raw, []) else { return }
        look(at: root.raw, host, prefix.isEmpty ? "." : prefix)
        var levels = [top]
        var count = 1
        while let level = levels.last, count < maxFiles, found == nil || label == nil {
            guard let entry = level.rest.popFirst() else {
                levels.removeLast()
                continue
            }
            guard let name = try? FileName(entry.name.span.bytes), !FakeRootTree.isReservedName(name) else { continue }
            let isClosed = levels.count == 1 && directories?.contains(entry.name) == false
            if isClosed, entry.type != FileFormat.regular.directoryType, entry.type != 0 { continue }
            count += 1
            let isMetadata =
                entry.name[0] == UInt8(ascii: ".")
                && Self.metadataNames.contains { entry.name.elementsEqual(Self.bytes($0)) }
            let mayBeDirectory = entry.type == FileFormat.directory.directoryType || entry.type == 0
            guard isMetadata || mayBeDirectory || mayMatter(name, in: level.directory.raw),
                let opened = Self.open(name, in: level.directory.raw), let host = try? System.status(of: opened.raw)
            else { continue }
            if isClosed, host.format == .directory { continue }
            let path = level.path.isEmpty ? entry.name : level.path + [UInt8(ascii: "/")] + entry.name
            if isMetadata {
                note(.virtfsFile, opened.raw, host, prefix + printable(path))
                continue
            }
            look(at: opened.raw, host, prefix + printable(path))
            if host.format == .directory, let inner = try? Level(opened.raw, path) { levels.append(inner) }
        }
    }

    /// Whether a name's file has an attribute that tells something new.
    private func mayMatter(_ name: borrowing FileName, in directory: CInt) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 8) { buffer in
            do throws(Errno) {
                let used = try System.listAttributes(of: name, in: directory, into: buffer)
                guard used > 0 else { return false }
                return UnsafeRawBufferPointer(rebasing: buffer[..<used]).split(separator: 0).contains(where: isNew)
            } catch {
                return error == .ERANGE
            }
        }
    }

    private func isNew(_ attribute: some Sequence<UInt8>) -> Bool {
        label == nil && Self.ourNames.contains { attribute.starts(with: Self.bytes($0)) }
            || found == nil && Self.names.contains { attribute.starts(with: Self.bytes($0.prefix)) }
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

    /// - Returns: nil for what can't be opened, and for a mount point.
    private static func open(_ name: borrowing FileName, in directory: CInt) -> OwnedDescriptor? {
        try? name.withCString { (name) throws(Errno) in
            try System.open(withinMount: directory, name, [.path, .noFollow])
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
                if label == nil, trust.covers(descriptor, host) { label = name() }
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
        // Another user's file proves nothing about the directory.
        guard found == nil, trust.covers(descriptor, host) else { return }
        found = ForeignMetadata(tool: tool, evidence: name())
    }

    private static func bytes(_ text: StaticString) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}
