internal import FakeRoot
public import LinuxFiles
internal import Synchronization

/// A file that clients have a handle of: a fid, a FUSE inode.
///
/// Holds it by a descriptor, so that it stays the same file through every rename and after its removal. Under pressure
/// an idle node is parked: it gives the descriptor up and remembers its place instead.
public final class Node: Sendable {
    /// What the host tells the file by.
    public let identity: FileIdentity
    private let format: FileFormat
    let attachPoint: AttachPoint
    /// Whether the descriptor may be given up: it only stands for the file.
    let isParkable: Bool
    private let holding: Mutex<Holding>
    /// Under the lock of the `ClientFiles`, which is the only one to use it.
    nonisolated(unsafe) var use = ClientFiles.NodeUse()

    private enum Holding {
        case descriptor(SharedDescriptor)
        case place(ParkedPlaces.Place)
    }

    /// - Parameter isOpenFile: the descriptor is that of an open file too, not O_PATH.
    init(
        _ descriptor: SharedDescriptor,
        _ status: FileStatus,
        isOpenFile: Bool = false,
        at attachPoint: AttachPoint
    ) {
        self.attachPoint = attachPoint
        format = status.format
        isParkable = !isOpenFile && !status.isSameFile(as: attachPoint.rootStatus)
        identity = status.identity
        holding = Mutex(.descriptor(descriptor))
    }

    /// What clients tell the file by.
    public var id: FileID { export.id(format, device: identity.device, inode: identity.inode) }
    /// The export that the file belongs to.
    public var export: Export { attachPoint.export }
    var tree: FakeRootTree { attachPoint.export.tree }
    var client: ClientFiles { attachPoint.client }
    var isDirectory: Bool { format == .directory }
    /// Whether this is what the client attached to.
    var isAttachRoot: Bool { identity == attachPoint.rootStatus.identity }

    /// A handle has come to stand for the node. Only nodes with handles are parked; each `bind` has its `unbind`.
    public func bind() { client.bind(self) }

    /// A handle is given up.
    public func unbind() { client.unbind(self) }

    /// The file, found again if need be.
    /// - Throws: as `ClientFiles.descriptor(of:)`.
    func descriptor() throws(Errno) -> SharedDescriptor { try client.descriptor(of: self) }

    /// Every change begins here: this is the one place that knows read-only exports.
    /// - Throws: `EROFS`.
    public func expectChangeable() throws(Errno) {
        guard !export.isReadOnly else { throw .EROFS }
    }
}

/// For `ClientFiles`.
extension Node {
    /// The descriptor, if the node is not parked.
    var heldDescriptor: SharedDescriptor? {
        holding.withLock {
            if case .descriptor(let descriptor) = $0 { descriptor } else { nil }
        }
    }

    var isParked: Bool { heldDescriptor == nil }

    enum PlaceFound {
        case found(ParkedPlaces.Place)
        /// A rename may be moving the file.
        case moving
        /// No path leads to it.
        case none
    }

    /// Looks for a place by which the file can be found again.
    func findPlace(in places: ParkedPlaces) -> PlaceFound {
        guard let descriptor = heldDescriptor else { return .moving }
        return descriptor.use { descriptor in
            guard let path = attachPoint.path(of: descriptor, mayAsk: false), !places.isTooDeep(path) else {
                return .none
            }
            guard let place = places.place(at: path) else { return .moving }
            // A rename that ended before the place was kept has not moved it.
            return attachPoint.path(of: descriptor, mayAsk: false)?.names == path.names ? .found(place) : .moving
        }
    }

    /// - Returns: the descriptor that was given up.
    func park(at place: ParkedPlaces.Place) -> SharedDescriptor? {
        holding.withLock { holding in
            guard case .descriptor(let descriptor) = holding else { return nil }
            holding = .place(place)
            return descriptor
        }
    }

    /// Takes a descriptor back, unless another request was faster.
    /// - Returns: the one to use.
    func hold(_ found: SharedDescriptor) -> SharedDescriptor {
        holding.withLock { holding in
            if case .descriptor(let descriptor) = holding { return descriptor }
            holding = .descriptor(found)
            return found
        }
    }

    /// Opens a parked node's file anew.
    /// - Throws: `ESTALE` if another file has its name now, `ENOENT` if none has.
    func findAgain(in places: ParkedPlaces) throws(Errno) -> SharedDescriptor {
        // Renames may move it again and again, so the number of tries is limited.
        for _ in 0..<Self.maximumTries {
            let place: ParkedPlaces.Place
            switch holding.withLock({ $0 }) {
            case .descriptor(let descriptor): return descriptor
            case .place(let parked): place = parked
            }
            guard let top = attachPoint.place, let names = places.names(of: place, from: top) else { throw .ENOENT }
            do throws(Errno) {
                return try open(names)
            } catch {
                // A rename may have been under way: then look for the file where it is now.
                places.waitForMoves(of: place)
                guard places.names(of: place, from: top) != names else { throw error }
            }
        }
        throw .ESTALE
    }

    private static let maximumTries = 16

    private func open(_ names: [[UInt8]]) throws(Errno) -> SharedDescriptor {
        let path = Array(names.joined(separator: [UInt8(ascii: "/")])) + [0]
        let opened = try path.span.bytes.withUnsafeBytes { (bytes) throws(Errno) -> OwnedDescriptor in
            guard let base = bytes.baseAddress else { throw .ESTALE }
            return try attachPoint.root.use { (root) throws(Errno) in
                try System.open(beneath: root, base.assumingMemoryBound(to: CChar.self), [.path, .noFollow])
            }
        }
        let status = try System.status(of: opened.raw)
        guard status.identity == identity else { throw .ESTALE }
        return SharedDescriptor(opened, countedBy: client)
    }
}
