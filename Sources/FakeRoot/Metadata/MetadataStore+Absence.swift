internal import LinuxFiles
internal import Synchronization

/// Trees without a database: another process may make one at any time.
extension MetadataStore {
    /// What there was beside the tree when nothing was found, so that looking again costs two system calls.
    struct Absence {
        var parent: DatabaseDirectory.Stamp?
        var state: DatabaseDirectory.Stamp?
        /// Other files at the places for this tree's database.
        var files: [DatabaseDirectory.Stamp?] = []
    }

    /// Looks at the places where another process makes this tree's database.
    func lookForDatabase() {
        absence.withLockIfAvailable { absence in
            let parent = DatabaseDirectory.Stamp("..", in: rootDescriptor)
            let state = StateDirectory.path.flatMap { DatabaseDirectory.Stamp("\($0)/.") }
            if let absence, absence.parent == parent, absence.state == state { return }
            let location = location
            let files = location.files.map { file in
                ((try? file.status) ?? nil).map { DatabaseDirectory.Stamp($0) }
            }
            let isKnown = absence.map { $0.files == files } ?? !files.contains { $0 != nil }
            if !isKnown, findAgain(location) { return absence = nil }
            // A stamp is of no use while a further change may leave it as it is.
            let isSettled = (parent?.isSettled ?? true) && (state?.isSettled ?? true)
            absence = Absence(parent: isSettled ? parent : nil, state: isSettled ? state : nil, files: files)
        }
    }

    /// - Returns: whether there is a database now.
    private func findAgain(_ location: DatabaseLocation) -> Bool {
        finding.withLockIfAvailable { _ in
            guard database == nil else { return true }
            let found = try? reporting { () throws(MetadataError) in
                for file in location.files {
                    if let found = try open(file, isExact: true) { return found }
                }
                return nil as MetadataDatabase?
            }
            guard let found = found.flatMap(\.self) else { return false }
            setDatabase(found)
            _ = try? reporting { () throws(MetadataError) in try load() }
            return true
        } ?? false
    }
}
