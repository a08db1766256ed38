internal import LinuxFiles
public import ServedTree

/// What all sessions of a server share: exports, limits, locks.
public final class ServerConfiguration: Sendable {
    /// The smallest msize that is accepted, in bytes.
    static let minimumMessageSize = 4096

    /// What clients may attach to; the default export has the empty name.
    public let exports: [Export]
    /// The largest msize that is granted, in bytes.
    public let maximumMessageSize: Int
    /// What clients may hold.
    public let limits: ServerLimits
    let descriptors: DescriptorPool
    let locks = LockTable()

    /// Gets one line for every message, if set.
    public let trace: (@Sendable (String) -> Void)?

    /// What all sessions of a server have in common.
    /// - Parameters:
    ///   - maximumMessageSize: in bytes.
    public init(
        exports: [Export],
        maximumMessageSize: Int = 1 << 20,
        limits: ServerLimits = ServerLimits(),
        trace: (@Sendable (String) -> Void)? = nil
    ) {
        self.exports = exports
        self.maximumMessageSize = maximumMessageSize
        self.limits = limits
        descriptors = DescriptorPool(limits.descriptors)
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
        let path = Self.names(of: aname)
        let holders = exports.map { (export: $0, above: Self.names(of: $0.path)) }
            .filter { path.starts(with: $0.above) }
        guard let holder = holders.max(by: { $0.above.count < $1.above.count }) else { throw .ENOENT }
        return (holder.export, Array(path[holder.above.count...]))
    }

    private static func names(of path: [UInt8]) -> [[UInt8]] {
        path.split(separator: UInt8(ascii: "/")).map(Array.init)
    }
}
