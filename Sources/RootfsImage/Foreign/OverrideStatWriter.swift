internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Writes our own labels, all through `FakeRootTree`.
final class OverrideStatWriter: MetadataWriter {
    private let tree: FakeRootTree

    init(_ tree: FakeRootTree) {
        self.tree = tree
    }

    func losses(of file: ForeignFile) -> ConversionLosses { ConversionLosses() }

    var reader: (any MetadataReader)? { OverrideStatReader(tree) }

    /// No label may mean root's file as well as one that was not described yet; only a label says more.
    func hasDescribed(_ file: ForeignFile) throws(ImageError) -> Bool {
        guard try replacement(of: file) == .keep else { return false }
        let descriptor = try file.requireDescriptor()
        do throws(Errno) {
            _ = try HostAttributes.read(Array(Self.name.utf8), of: descriptor)
            return true
        } catch .ENODATA, .EOPNOTSUPP {
            return false
        } catch {
            throw ImageError("can't read the label of \(file.description)", error)
        }
    }

    private static let name = "user.containers.override_stat"

    func describe(_ file: ForeignFile) throws(ImageError) -> Int {
        guard file.isFirst, try replacement(of: file) == .keep else { return 0 }
        return try write(file, to: file.requireDescriptor())
    }

    private func write(_ file: ForeignFile, to descriptor: CInt) throws(ImageError) -> Int {
        let metadata = file.metadata
        var lost = 0
        do throws(Errno) {
            for attribute in metadata.attributes {
                do throws(Errno) {
                    let (name, value) = (attribute.name.span.bytes, attribute.value.span.bytes)
                    try tree.setAttribute(name, of: descriptor, to: value, flags: 0)
                } catch .EPERM {
                    continue  // another tool's metadata: what they say has been taken
                } catch {
                    guard isNoRoom(error, for: attribute.value) else { throw error }
                    lost += 1
                }
            }
            // Symbolic links all have the mode 0777.
            let permissions = metadata.kind == .symlink ? nil : metadata.permissions
            let change = OwnerAndMode(uid: metadata.owner.uid, gid: metadata.owner.gid, permissions: permissions)
            try tree.change(descriptor, change)
        } catch {
            throw ImageError("can't write the label of \(file.description)", error)
        }
        return lost
    }

    func replacement(of file: ForeignFile) throws(ImageError) -> Replacement {
        switch file.metadata.kind {
        case .file, .directory: return .keep
        case .symlink: return file.format == .symlink ? .keep : .replace
        case .pipe, .socket, .block, .character:
            guard file.format == .regular else { return .replace }
            let descriptor = try file.requireDescriptor()
            let status = try ImageError.attempt("can't read the label of \(file.description)") { () throws(Errno) in
                try tree.status(of: descriptor)
            }
            return status.kind == file.metadata.kind ? .keep : .replace
        }
    }

    func replace(_ file: ForeignFile, as name: borrowing FileName, in directory: CInt) throws(ImageError) {
        let metadata = file.metadata
        let made = try ImageError.attempt("can't make \(file.description) anew") { () throws(Errno) in
            if metadata.kind == .symlink {
                try (file.target + [0]).span.withUnsafeBytes { (target) throws(Errno) in
                    guard let target = target.baseAddress else { throw .EINVAL }
                    let text = target.assumingMemoryBound(to: CChar.self)
                    try tree.createSymlink(name, in: directory, target: text, owner: metadata.owner)
                }
            } else {
                try tree.createSpecial(
                    name,
                    in: directory,
                    owner: metadata.owner,
                    permissions: metadata.permissions,
                    kind: metadata.kind
                )
            }
            return try tree.lookup(name, in: directory)
        }
        _ = try write(file, to: made.raw)
    }
}
