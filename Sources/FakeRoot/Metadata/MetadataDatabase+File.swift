internal import LinuxFiles
internal import SQLite

/// The file as such: making it, and preparing it to be moved.
extension MetadataDatabase {
    static func root(of connection: MetadataConnection) throws(MetadataError) -> FileHandle? {
        let statement = try connection.prepare("SELECT value FROM meta WHERE key = 'root'")
        guard try statement.step() else { return nil }
        return statement.withBytes(0) { FileHandle(stored: $0) }
    }

    /// The handle of the directory that a file belongs to; nil for another program's file.
    static func root(of file: DatabaseFile) -> FileHandle? {
        guard let connection = try? MetadataConnection(file, .readOnly, milliseconds: strangersTime),
            (try? DatabaseSchema.verify(connection, of: file)) != nil
        else { return nil }
        return (try? root(of: connection)) ?? nil
    }

    /// Makes a database in an empty file, or finds another process' there.
    /// - Parameter usesLog: whether it may have a write-ahead log, and with it a file of shared memory.
    static func create(_ file: DatabaseFile, root: FileHandle, usesLog: Bool) throws(MetadataError) {
        do throws(Errno) {
            try file.make()
        } catch {
            throw MetadataError(.system, "can't make \(ShellWord(file.path)): \(error.text)", errno: error)
        }
        let connection = try MetadataConnection(file, .readWrite, milliseconds: 10_000)
        if usesLog {
            // Where shared memory doesn't work, as on NFS, this fails or answers with another mode: both are fine.
            do throws(MetadataError) {
                _ = try connection.text("PRAGMA journal_mode = WAL")
            } catch  where error.code != .system || error.errno != .EIO {
                throw error
            } catch {
                _ = try connection.text("PRAGMA journal_mode = DELETE")
            }
        }
        try DatabaseSchema.create(connection, root)
    }

    /// Whether a file is a database that was never made to its end.
    static func isBlank(_ file: DatabaseFile) -> Bool {
        guard let connection = try? MetadataConnection(file, .readWrite, milliseconds: strangersTime) else {
            return false
        }
        return (try? DatabaseSchema.isBlank(connection)) ?? false
    }

    /// Moves all into the one file, which is to be renamed; without shared memory.
    /// - Returns: nil if others have it open; else whether it had a write-ahead log.
    static func makeSingleFile(_ file: DatabaseFile) -> Bool? {
        guard let connection = try? MetadataConnection(file, .readWrite, milliseconds: 2000) else { return nil }
        connection.setBusyTimeout(milliseconds: 0)
        guard (try? connection.text("PRAGMA locking_mode = EXCLUSIVE")) != nil,
            (try? DatabaseSchema.verify(connection, of: file)) != nil,
            let old = try? connection.text("PRAGMA journal_mode")
        else { return nil }
        guard let mode = try? connection.text("PRAGMA journal_mode = DELETE"), mode == "delete" else { return nil }
        // A reader of a database without a log is noticed by this alone.
        guard (try? connection.execute("BEGIN EXCLUSIVE; COMMIT")) != nil else { return nil }
        return old == "wal"
    }

    /// To be called after the file was renamed.
    static func setWriteAheadLog(_ file: DatabaseFile) {
        guard let connection = try? MetadataConnection(file, .readWrite, milliseconds: 2000) else { return }
        _ = try? connection.text("PRAGMA journal_mode = WAL")
    }
}
