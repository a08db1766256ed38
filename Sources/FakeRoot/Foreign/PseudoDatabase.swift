internal import LinuxFiles
internal import SQLite

/// A database of pseudo's, asked for one thing only. It may be anybody's: SQLite gets a copy in memory.
enum PseudoDatabase {
    /// In bytes; pseudo's have some 500 for each file.
    private static let maxSize: UInt64 = 512 << 20
    /// Some seconds' work: then the question is given up.
    private static let maxInstructions = 300_000_000

    /// Whether the database knows a directory, or anything in it. True also for what can't be read as a database: whoever
    /// reads it tells what is wrong with it.
    static func mentions(_ directory: String, file: String) -> Bool {
        guard let root = try? System.open(directory, [.path, .directory]),
            let path = try? System.currentPath(of: root.raw)
        else { return false }
        do throws(SQLiteError) {
            guard let image = read(file) else { return true }
            let database = try SQLiteConnection<SQLiteError>(
                reading: image,
                limit: .instructionsPerStep(maxInstructions),
                maxValue: 64 << 20
            ) { $0 }
            // "0" is the character that follows "/".
            let question = try database.prepare(
                "SELECT 1 FROM files WHERE deleting = 0 AND (path = ?1 OR path >= ?1 || '/' AND path < ?1 || '0') LIMIT 1"
            )
            question.bind(1, text: path)
            return try question.step()
        } catch {
            return true
        }
    }

    private static func read(_ path: String) -> SQLiteImage? {
        guard let file = try? System.open(path, [.readOnly, .nonBlocking, .noControllingTerminal]),
            let status = try? System.status(of: file.raw), status.format == .regular, status.size <= maxSize
        else { return nil }
        return try? SQLiteImage(of: file.raw, size: status.size)
    }
}
