internal import LinuxFiles

/// The names under which parked files are found again, as a tree of directory entries: a rename moves one entry, and all
/// beneath goes along.
///
/// All is in memory; no system call is made while the lock is held. Renames whose paths touch each other are made one after
/// the other (`begin` and `end`), so the tree sees them in the kernel's order. All other renames go on side by side.
final class ParkedPlaces: Sendable {
    private let state = Monitor(State())

    private struct State {
        let root = Entry(name: [], parent: nil)
        var moves: [Move] = []
        var serial: UInt64 = 0
        /// How many renames have moved something.
        var doneCount: UInt64 = 0

        /// Whether a rename that is under way may move what is at a path.
        func isMoving(_ path: [[UInt8]]) -> Bool { moves.contains { $0.touches(path) } }

        /// From the top of the tree.
        func names(of path: Path?) -> [[UInt8]]? {
            path.flatMap { path in path.top.entry.path(from: root).map { $0 + path.names } }
        }

        mutating func add(_ old: Path?, _ new: Path?) -> Move {
            let (old, new) = (names(of: old), names(of: new))
            serial += 1
            let move = Move(serial: serial, old: old, new: new)
            moves.append(move)
            return move
        }
    }

    /// A directory entry: of a parked file, of an attach point, or of a directory above one; under the lock of `state`.
    fileprivate final class Entry: @unchecked Sendable {  // touched under the lock only
        var name: [UInt8]
        var parent: Entry?
        var children: [[UInt8]: Entry] = [:]
        /// How many places keep it.
        var uses = 0

        init(name: [UInt8], parent: Entry?) {
            self.name = name
            self.parent = parent
        }

        /// From the top of the tree; nil if it is cut off from there: its file was replaced.
        func path(from top: Entry) -> [[UInt8]]? {
            var path: [[UInt8]] = []
            var entry = self
            while entry !== top {
                path.append(entry.name)
                guard let parent = entry.parent else { return nil }
                entry = parent
            }
            return path.reversed()
        }

        func cutOff() {
            parent?.children[name] = nil
            parent = nil
        }

        /// Removes itself, and the directories above that nobody needs any more.
        func removeIfUnused() {
            var entry = self
            while entry.uses == 0, entry.children.isEmpty, let parent = entry.parent {
                entry.cutOff()
                entry = parent
            }
        }
    }

    /// A place that is kept as long as this object lives.
    final class Place: Sendable {
        private let places: ParkedPlaces
        fileprivate let entry: Entry

        fileprivate init(_ places: ParkedPlaces, _ entry: Entry) {
            self.places = places
            self.entry = entry
        }

        deinit { places.release(entry) }
    }

    /// A path beneath an attach point.
    struct Path {
        var top: Place
        /// The names from there; empty for the attach point itself.
        var names: [[UInt8]]

        /// The path of a name in the directory that has this path.
        func appending(_ name: borrowing FileName) -> Path {
            Path(top: top, names: names + [name.bytes.withUnsafeBytes { Array($0) }])
        }
    }

    /// A rename that is under way.
    struct Move {
        fileprivate var serial: UInt64
        fileprivate var old: [[UInt8]]?
        fileprivate var new: [[UInt8]]?

        fileprivate func touches(_ path: [[UInt8]]) -> Bool {
            [old, new].contains { other in other.map { $0.starts(with: path) || path.starts(with: $0) } ?? false }
        }
    }

    /// Deeper files, counted from the host's root, are not parked: a place costs memory for every name above it.
    static let maximumDepth = 64

    /// How long a rename waits for another one that touches the same paths and may be stuck, in seconds. Fids parked there
    /// may be lost afterwards: a busy disk must not take as long as that. What waits needs the directories that are stuck.
    private let patience: Double

    init(patience: Double = 20) {
        self.patience = patience
    }

    // MARK: Places

    /// The place of an attach point, by its absolute path.
    /// - Returns: nil if it is too deep.
    func attachPoint(at path: [UInt8]) -> Place? {
        let names = Self.names(of: path)
        guard names.count <= Self.maximumDepth else { return nil }
        return state.updateQuietly { state in keep(names, from: state.root) }
    }

    /// Whether a place at a path would cost too much memory.
    func isTooDeep(_ path: Path) -> Bool {
        state.updateQuietly { state in state.names(of: path).map { $0.count > Self.maximumDepth } ?? true }
    }

    /// Keeps the place of a file that is to be parked.
    /// - Returns: nil while a rename may be moving it.
    func place(at path: Path) -> Place? {
        state.updateQuietly { state in
            if !state.moves.isEmpty {
                guard let top = path.top.entry.path(from: state.root), !state.isMoving(top + path.names) else {
                    return nil
                }
            }
            return keep(path.names, from: path.top.entry)
        }
    }

    private func keep(_ names: [[UInt8]], from top: Entry) -> Place {
        var entry = top
        for name in names {
            let child = entry.children[name] ?? Entry(name: name, parent: entry)
            entry.children[name] = child
            entry = child
        }
        entry.uses += 1
        return Place(self, entry)
    }

    private func release(_ entry: Entry) {
        state.updateQuietly { _ in
            entry.uses -= 1
            entry.removeIfUnused()
        }
    }

    /// Where a place is now, from an attach point.
    /// - Returns: nil if it is not beneath it any more, or another file has taken the place.
    func names(of place: Place, from top: Place) -> [[UInt8]]? {
        state.updateQuietly { _ in place.entry.path(from: top.entry) }
    }

    /// Waits while a rename may be moving a place; `patience` limits the wait for one that is stuck.
    func waitForMoves(of place: Place) {
        _ = state.wait(seconds: patience) { state -> Void? in
            guard let path = place.entry.path(from: state.root) else { return () }
            return state.isMoving(path) ? nil : ()
        }
    }

    static func names(of path: [UInt8]) -> [[UInt8]] { path.split(separator: UInt8(ascii: "/")).map(Array.init) }

    // MARK: Renames

    /// Begins a rename. Each `begin` has its `end`.
    /// - Parameter paths: says where the rename goes from and to; nil for what no path leads to. Asked again if another
    ///   rename may have changed the answer.
    func begin(_ paths: () -> (old: Path?, new: Path?)) -> Move {
        // Other renames may be faster again and again, so the number of tries is limited.
        tries: for tries in 1...Self.maximumTries {
            let doneCount = state.updateQuietly { $0.doneCount }
            let (old, new) = paths()
            enum Outcome { case begun(Move), outdated }
            let outcome = state.wait(seconds: patience) { state -> Outcome? in
                let isMoving = [old, new].contains { state.names(of: $0).map(state.isMoving) ?? false }
                guard !isMoving else { return nil }
                guard state.doneCount == doneCount || tries == Self.maximumTries else { return .outdated }
                return .begun(state.add(old, new))
            }
            switch outcome {
            case .begun(let move): return move
            case .outdated: continue
            case nil: break tries
            }
        }
        let (old, new) = paths()
        return state.updateQuietly { $0.add(old, new) }
    }

    private static let maximumTries = 16

    /// Whether something is parked at the rename's new name, or beneath.
    func isReplacing(_ move: Move) -> Bool {
        state.updateQuietly { state in move.new.map { Self.find($0, from: state.root) != nil } ?? false }
    }

    /// Ends a rename.
    /// - Parameter isDone: whether it has moved anything.
    func end(_ move: Move, isDone: Bool) {
        state.update { state in
            state.moves.removeAll { $0.serial == move.serial }
            if isDone { state.doneCount += 1 }
            guard isDone, let old = move.old, let moved = Self.find(old, from: state.root) else { return }
            let replaced = move.new.flatMap { Self.find($0, from: state.root) }
            // Both names may be the same.
            guard replaced !== moved else { return }
            replaced?.cutOff()
            let above = moved.parent
            moved.cutOff()
            above?.removeIfUnused()
            guard let new = move.new, let name = new.last else { return }
            var parent = state.root
            for name in new.dropLast() {
                let child = parent.children[name] ?? Entry(name: name, parent: parent)
                parent.children[name] = child
                parent = child
            }
            moved.name = name
            moved.parent = parent
            parent.children[name] = moved
        }
    }

    private static func find(_ path: [[UInt8]], from top: Entry) -> Entry? {
        var entry = top
        for name in path {
            guard let child = entry.children[name] else { return nil }
            entry = child
        }
        return entry
    }
}
