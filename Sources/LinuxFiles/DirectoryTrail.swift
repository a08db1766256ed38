/// The directories on the way down through a tree. Only the last ones are open, so a walk reaches any depth with a bounded
/// number of descriptors, and without recursion.
///
/// A directory further up is opened again as ".." when the walk comes back to it, and must still be the same one by
/// device and inode number. No path is looked up. For one thread at a time.
public final class DirectoryTrail {
    private final class Opening {
        let descriptor: OwnedDescriptor

        init(_ descriptor: consuming OwnedDescriptor) {
            self.descriptor = descriptor
        }
    }

    private struct Step {
        /// Nil while it is too far up to be kept open.
        var opening: Opening?
        let status: FileStatus
    }

    /// Directories that are open at a time.
    public static let maxOpen = 64

    private var steps: [Step] = []

    /// An empty trail.
    public init() {}

    /// How many directories the trail has, including the current one.
    public var depth: Int { steps.count }

    /// The descriptor of the current directory; -1 for an empty trail.
    public var current: CInt { steps.last?.opening?.descriptor.raw ?? -1 }

    /// Goes down into a directory of the current one.
    /// - Throws: as `statx(2)`; the trail stays as it is then.
    public func enter(_ directory: consuming OwnedDescriptor) throws(Errno) {
        let status = try System.status(of: directory.raw)
        steps.append(Step(opening: Opening(directory), status: status))
        let distant = steps.count - 1 - Self.maxOpen
        if distant >= 0 { steps[distant].opening = nil }
    }

    /// Goes back up; the directory above is open then (O_PATH, if it had been closed).
    /// - Throws: `ESTALE` if another directory is there now; otherwise what opening ".." gives. The trail has lost its last
    ///   directory all the same.
    public func leave() throws(Errno) {
        guard let left = steps.popLast(), let parent = steps.last, parent.opening == nil else { return }
        guard let opening = left.opening else { throw .ESTALE }
        let above = try System.open(at: opening.descriptor.raw, "..", [.path, .directory])
        guard try System.status(of: above.raw).isSameFile(as: parent.status) else { throw .ESTALE }
        steps[steps.count - 1].opening = Opening(above)
    }
}
