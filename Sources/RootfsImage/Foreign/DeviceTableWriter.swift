internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Writes a device table for what the host's files don't say: owners, modes, nodes, capabilities. Nodes are removed from
/// the directory, for the table's readers make them.
final class DeviceTableWriter: MetadataWriter {
    private let path: String
    private var text = Array("# name type mode uid gid major minor start inc count\n".utf8)

    init(_ path: String) {
        self.path = path
    }

    var file: String? { path }

    func losses(of file: ForeignFile) -> ConversionLosses {
        var losses = ConversionLosses()
        let metadata = file.metadata
        if file.isFirst {
            losses.attributes = metadata.attributes.count { !isCapability($0) }
        }
        let line = line(file)
        if line != nil, !Self.canName(file.path) { losses.names = 1 }
        switch metadata.kind {
        case .socket: losses.sockets = 1
        case .symlink: losses.symlinkOwners = metadata.owner == Owner(uid: 0, gid: 0) ? 0 : 1
        default: break
        }
        return losses
    }

    private func isCapability(_ attribute: ImageEntry.Attribute) -> Bool {
        attribute.name.elementsEqual("security.capability".utf8)
            && FileCapabilities(attribute.value).map { $0.rootID == 0 } ?? false
    }

    private static func canName(_ path: [UInt8]) -> Bool {
        !path.contains { $0 <= UInt8(ascii: " ") || $0 == 0x7f }
    }

    /// The line about a file, without its name; nil if what the host says is right.
    private func line(_ file: ForeignFile) -> String? {
        let metadata = file.metadata
        let (type, numbers): (String, String) =
            switch metadata.kind {
            case .file: ("f", "- -")
            case .directory: ("d", "- -")
            case .pipe: ("p", "- -")
            case .character(let major, let minor): ("c", "\(major) \(minor)")
            case .block(let major, let minor): ("b", "\(major) \(minor)")
            case .symlink, .socket: ("", "")
            }
        guard !type.isEmpty else { return nil }
        let isPlain =
            !metadata.kind.isSpecial && metadata.owner == Owner(uid: 0, gid: 0)
            && file.status.map { $0.mode & 0o7777 } == metadata.permissions
            && !metadata.attributes.contains(where: isCapability)
        guard !isPlain else { return nil }
        let mode = String(metadata.permissions, radix: 8)
        return "\(type) \(mode) \(metadata.owner.uid) \(metadata.owner.gid) \(numbers) - - -"
    }

    func hasDescribed(_ file: ForeignFile) throws(ImageError) -> Bool { false }

    func describe(_ file: ForeignFile) throws(ImageError) -> Int {
        guard file.isFirst || file.metadata.kind.isSpecial, let line = line(file), Self.canName(file.path) else {
            return 0
        }
        text += Array("/".utf8) + file.path + Array(" \(line)\n".utf8)
        for attribute in file.metadata.attributes where isCapability(attribute) && file.metadata.kind == .file {
            for clause in FileCapabilities(attribute.value)?.text.split(separator: " ") ?? [] {
                text += Array("|xattr \(clause)\n".utf8)
            }
        }
        return 0
    }

    func finishDescribing() throws(ImageError) {
        let temporaryPath = path + ".converting"
        try ImageError.attempt("can't write \(path)") { () throws(Errno) in
            let file = try System.open(
                at: System.atCurrentDirectory,
                temporaryPath,
                [.writeOnly, .create, .truncate],
                mode: 0o644
            )
            let text = text
            guard try System.write(file.raw, text.span.bytes, at: 0) == text.count else { throw .ENOSPC }
            try System.synchronize(file.raw, dataOnly: false)
        }
        try moveFile(temporaryPath, to: path)
    }

    func replacement(of file: ForeignFile) throws(ImageError) -> Replacement {
        switch file.metadata.kind {
        case .file, .directory: .keep
        case .symlink: file.format == .symlink ? .keep : .replace
        case .pipe, .block, .character: Self.canName(file.path) ? .remove : .keep
        case .socket: .remove
        }
    }

    func replace(_ file: ForeignFile, as name: borrowing FileName, in directory: CInt) throws(ImageError) {
        try makePlainSymlink(file, as: name, in: directory)
    }
}
