internal import LinuxFiles

/// The directory that a client attached to: the export's own, or one below it.
final class AttachPoint: Sendable {
    let export: Export
    let root: SharedDescriptor
    let rootStatus: FileStatus
    let client: ClientFiles
    /// The root's own place among the parked ones; nil where it is too deep for anything to be parked.
    let place: ParkedPlaces.Place?

    init(export: Export, root: SharedDescriptor, _ client: ClientFiles) throws(Errno) {
        self.export = export
        self.root = root
        self.client = client
        rootStatus = try root.use(System.status(of:))
        place = client.places.attachPoint(at: try root.use(System.currentPath(of:)))
    }

    /// Where the kernel says a file is.
    ///
    /// The path is a hint: a later mount may hide the file.
    /// - Parameter mayAsk: whether to ask the file system if the file still exists, in case its name ends as the kernel's names
    ///   of removed files do. False for another client's file: that file system may not answer.
    /// - Returns: nil for a file that was removed, or is not beneath this directory any more.
    func path(of descriptor: CInt, mayAsk: Bool) -> ParkedPlaces.Path? {
        guard let place, let top = try? root.use(System.currentPath(of:)),
            let path = try? System.currentPath(of: descriptor)
        else { return nil }
        if path.reversed().starts(with: " (deleted)".utf8.reversed()) {
            guard mayAsk, let status = try? System.status(of: descriptor), status.linkCount > 0 else { return nil }
        }
        if path == top { return ParkedPlaces.Path(top: place, names: []) }
        let prefix = top.last == UInt8(ascii: "/") ? top : top + [UInt8(ascii: "/")]
        guard path.starts(with: prefix) else { return nil }
        return ParkedPlaces.Path(top: place, names: ParkedPlaces.names(of: Array(path[prefix.count...])))
    }
}
