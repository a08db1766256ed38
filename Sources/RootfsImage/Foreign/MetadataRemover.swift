internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Removes the metadata of one tool from a tree; of those in a file of its own, that file goes out of the way.
struct MetadataRemover {
    private let kind: MetadataKind
    private let prefixes: [String]

    init(_ kind: MetadataKind) {
        self.kind = kind
        prefixes =
            switch kind {
            case .overrideStat: ["user.containers.override_", OverrideStatReader.olderName]
            case .rsync: [RsyncReader.prefix]
            case .virtfs: [VirtfsReader.prefix]
            case .rootlesscontainers: [RootlessContainersReader.name]
            case .plain, .virtfsFile, .pseudo, .fakeroot, .deviceTable: []
            }
    }

    /// Goes through the whole tree.
    /// - Parameter root: open for reading.
    func removeAll(_ root: CInt, _ onFile: () throws(ImageError) -> Void) throws(ImageError) {
        let copy = try ImageError.attempt("can't open the directory") { () throws(Errno) in
            try System.open(at: root, ".", [.readOnly, .directory])
        }
        let walk = ForeignWalk(copy, NoReader())
        while let file = try walk.next() {
            try onFile()
            try remove(from: file)
        }
    }

    private func remove(from file: ForeignFile) throws(ImageError) {
        if kind == .virtfsFile { try removeMetadataDirectory(of: file) }
        guard !prefixes.isEmpty, file.format == .regular || file.format == .directory else { return }
        let descriptor = try file.requireDescriptor()
        try ImageError.attempt("can't remove metadata of \(file.description)") { () throws(Errno) in
            for name in try System.listAttributes(of: descriptor).split(separator: 0)
            where prefixes.contains(where: { name.starts(with: $0.utf8) }) {
                try HostAttributes.remove(Array(name), from: descriptor)
            }
        }
    }

    private func removeMetadataDirectory(of file: ForeignFile) throws(ImageError) {
        guard file.format == .directory else { return }
        let descriptor = try file.requireDescriptor()
        let names =
            file.path.isEmpty
            ? [VirtfsFileReader.directoryName, VirtfsFileReader.rootName] : [VirtfsFileReader.directoryName]
        for name in names {
            do throws(Errno) {
                try System.removeTree(at: descriptor, FileName(name))
            } catch .ENOENT {
                continue
            } catch {
                throw ImageError("can't remove \(name) of \(file.description)", error)
            }
        }
    }

    /// What the files show, without metadata.
    private final class NoReader: MetadataReader {
        func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
            let isHidden = file.name.elementsEqual(VirtfsFileReader.directoryName.utf8)
            return isHidden ? nil : FileMetadata(of: file)
        }
    }
}
