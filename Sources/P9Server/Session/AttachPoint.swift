internal import LinuxFiles

/// The directory that a client attached to: the export's root, or one below it.
final class AttachPoint: Sendable {
    let export: Export
    let root: SharedDescriptor
    let rootStatus: FileStatus
    let client: ClientDescriptors
    /// The root's own place among the parked ones.
    let place: ParkedPlaces.Place

    init(export: Export, root: SharedDescriptor, _ client: ClientDescriptors) throws(Errno) {
        self.export = export
        self.root = root
        self.client = client
        rootStatus = try System.status(of: root.raw)
        place = client.places.attachPoint(at: try System.currentPath(of: root.raw))
    }

    /// Where the kernel says a file is. Asks no file system.
    ///
    /// It is a hint: what is mounted over it later hides it.
    /// - Returns: nil for a file that was removed, is not beneath this directory any more, or is too deep.
    func path(of descriptor: CInt) -> ParkedPlaces.Path? {
        guard let top = try? System.currentPath(of: root.raw), let path = try? System.currentPath(of: descriptor) else {
            return nil
        }
        // The kernel's mark of a removed file. A file may be called so as well; then it keeps its descriptor.
        guard !path.reversed().starts(with: " (deleted)".utf8.reversed()) else { return nil }
        if path == top { return ParkedPlaces.Path(top: place, names: []) }
        let prefix = top.last == UInt8(ascii: "/") ? top : top + [UInt8(ascii: "/")]
        guard path.starts(with: prefix) else { return nil }
        let names = ParkedPlaces.names(of: Array(path[prefix.count...]))
        return names.count <= ParkedPlaces.maximumDepth ? ParkedPlaces.Path(top: place, names: names) : nil
    }
}
