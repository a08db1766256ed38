internal import CSQLite
internal import LinuxFiles

/// A database of pseudo's, asked for one thing only.
///
/// It may be anybody's. It is read as a whole into memory, as any file, and SQLite gets only that copy: so it opens no file,
/// waits for no lock and leaves nothing beside it.
enum PseudoDatabase {
    /// In bytes; pseudo's have some 500 for each file.
    private static let maxSize: UInt64 = 512 << 20
    /// Instructions of SQLite's machine, some seconds of them: then the question is given up.
    private static let maxMillions = 300

    /// Whether the database knows a directory, or anything in it. True also for what can't be read as a database: whoever
    /// reads it tells what is wrong with it.
    static func mentions(_ directory: String, file: String) -> Bool {
        guard let root = try? System.open(directory, [.path, .directory]),
            let path = try? System.currentPath(of: root.raw)
        else { return false }
        var content = read(file)
        guard content.count >= 512 else { return true }
        // As if it had never had a write-ahead log.
        if content[18] == 2, content[19] == 2 { (content[18], content[19]) = (1, 1) }
        return content.withUnsafeMutableBufferPointer { mentions(path, $0) } ?? true
    }

    private static func read(_ path: String) -> [UInt8] {
        guard let file = try? System.open(path, [.readOnly, .nonBlocking, .noControllingTerminal]),
            let status = try? System.status(of: file.raw), status.format == .regular, status.size <= maxSize
        else { return [] }
        var content = [UInt8](repeating: 0, count: Int(status.size))
        let count = try? content.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
            try System.read(file.raw, into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        return count == content.count ? content : []
    }

    /// - Returns: nil for what is no such database.
    private static func mentions(_ path: [UInt8], _ content: UnsafeMutableBufferPointer<UInt8>) -> Bool? {
        var handle: OpaquePointer?
        defer { sqlite3_close_v2(handle) }
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX
        guard sqlite3_open_v2(":memory:", &handle, flags, nil) == SQLITE_OK, let handle else { return nil }
        let settings: [(CInt, CInt)] = [
            (SQLITE_DBCONFIG_DEFENSIVE, 1), (SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0), (SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
            (SQLITE_DBCONFIG_ENABLE_VIEW, 0), (SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
        ]
        for (setting, value) in settings { _ = csqlite_configure(handle, setting, value) }
        let size = Int64(content.count)
        let isLoaded = sqlite3_deserialize(
            handle,
            "main",
            content.baseAddress,
            size,
            size,
            UInt32(SQLITE_DESERIALIZE_READONLY)
        )
        guard isLoaded == SQLITE_OK else { return nil }
        return withUnsafeTemporaryAllocation(of: Int.self, capacity: 1) { millions in
            guard let counter = millions.baseAddress else { return nil }
            counter.initialize(to: 0)
            let count: @convention(c) (UnsafeMutableRawPointer?) -> CInt = { context in
                guard let millions = context?.assumingMemoryBound(to: Int.self) else { return 1 }
                millions.pointee += 1
                return millions.pointee > PseudoDatabase.maxMillions ? 1 : 0
            }
            sqlite3_progress_handler(handle, 1_000_000, count, counter)
            defer { sqlite3_progress_handler(handle, 0, nil, nil) }
            return ask(handle, path)
        }
    }

    private static func ask(_ handle: OpaquePointer, _ path: [UInt8]) -> Bool? {
        // "0" is the character that follows "/".
        let question =
            "SELECT 1 FROM files WHERE deleting = 0 AND (path = ?1 OR path >= ?1 || '/' AND path < ?1 || '0') LIMIT 1"
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(handle, question, -1, &statement, nil) == SQLITE_OK else { return nil }
        defer { sqlite3_finalize(statement) }
        path.withUnsafeBytes { bytes in
            let text = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            _ = sqlite3_bind_text(statement, 1, text, CInt(bytes.count), csqlite_transient())
        }
        switch sqlite3_step(statement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: return nil
        }
    }
}
