public import LinuxFiles

/// What all sessions of a server share: exports, limits, locks.
public final class ServerConfiguration: Sendable {
    /// The smallest msize that is accepted, in bytes.
    static let minimumMessageSize = 4096

    public let exports: [Export]
    /// The largest msize that is granted, in bytes.
    public let maximumMessageSize: Int
    /// Fids per session.
    let maximumFids: Int
    /// Three quarters of what the process may have are for fids; the rest is for requests under way and connections.
    let descriptors: DescriptorPool
    /// Bytes of attribute values that one session may have under way.
    let maximumAttributeBytes: Int
    let locks = LockTable()

    /// Gets one line for every message, if set.
    public let trace: (@Sendable (String) -> Void)?

    /// - Parameters:
    ///   - maximumMessageSize: in bytes.
    ///   - descriptorLimit: how many files the process may have open.
    public init(
        exports: [Export],
        maximumMessageSize: Int = 1 << 20,
        maximumFids: Int = 1 << 20,
        descriptorLimit: Int = System.raiseOpenFileLimit(),
        trace: (@Sendable (String) -> Void)? = nil
    ) {
        self.exports = exports
        self.maximumMessageSize = maximumMessageSize
        self.maximumFids = maximumFids
        descriptors = DescriptorPool(limit: max(64, min(descriptorLimit / 4 * 3, 1 << 18)))
        maximumAttributeBytes = 8 << 20
        self.trace = trace
    }

    /// Finds what a client attaches to.
    ///
    /// "" and "/" are the default export, a name is the export of that name, and an absolute path is a directory of
    /// the host that an export holds.
    /// - Throws: `ENOENT`.
    func resolve(aname: [UInt8]) throws(Errno) -> (export: Export, subdirectory: [[UInt8]]) {
        guard let first = exports.first else { throw .ENOENT }
        if aname.isEmpty || aname == [UInt8(ascii: "/")] { return (first, []) }
        if let export = exports.first(where: { Array($0.name.utf8) == aname }) { return (export, []) }
        guard aname.first == UInt8(ascii: "/") else { throw .ENOENT }
        let components = Export.components(aname)
        let holder = exports.filter { components.starts(with: $0.pathComponents) }
            .max { $0.pathComponents.count < $1.pathComponents.count }
        guard let holder else { throw .ENOENT }
        return (holder, Array(components[holder.pathComponents.count...]))
    }
}
