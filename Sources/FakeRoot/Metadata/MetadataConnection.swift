internal import LinuxFiles
internal import SQLite

typealias MetadataConnection = SQLiteConnection<MetadataError>
typealias MetadataStatement = SQLiteStatement<MetadataError>

extension SQLiteConnection<MetadataError> {
    /// Opens a metadata database that is there, and teaches it `row_sum`.
    /// - Parameter milliseconds: how long all that is done with it may take, until the limit is taken away: a file that is not
    ///   known to be ours may be made to keep SQLite busy for ever.
    convenience init(
        _ file: DatabaseFile,
        _ access: SQLiteAccess,
        milliseconds: UInt64
    ) throws(MetadataError) {
        do throws(SQLiteError) {
            // The largest row has an attribute of 64 KiB.
            try self.init(
                file.name,
                in: file.directory.descriptor.raw,
                access,
                limit: .milliseconds(milliseconds),
                maxValue: 1 << 20
            ) { error in
                // Keeps the directory open, too, until the connection is closed.
                MetadataError(error, file)
            }
        } catch {
            throw MetadataError(error, file)
        }
        addFunction(RowSum.name) { RowSum.sum($0) }
    }
}

extension MetadataError {
    /// What SQLite says, with the database's path and what to do about it.
    init(_ error: SQLiteError, _ file: DatabaseFile) {
        let message = "the metadata database \(file.path): \(error.message)"
        let restore = "Restore the file from a backup. Without it labels that no extended attribute holds are lost."
        switch error.code {
        case .corrupt: self.init(.corrupt, message, hint: restore, errno: .EIO)
        case .notADatabase:
            let hint = "Something else has been written over it. \(restore)"
            self.init(.corrupt, message, hint: hint, errno: .EIO)
        case .interrupted: self.init(.corrupt, "\(message): it takes too long", hint: restore, errno: .EIO)
        case .busy, .locked:
            self.init(.busy, message, hint: "Another process holds it; try again.", errno: .EBUSY)
        case .full: self.init(.system, message, hint: "Make room on the disk.", errno: .ENOSPC)
        case .noMemory: self.init(.system, message, errno: .ENOMEM)
        case .tooBig: self.init(.system, message, errno: .E2BIG)
        case .readOnly: self.init(.system, message, errno: .EROFS)
        case .permission, .authorization: self.init(.system, message, errno: .EACCES)
        case .cannotOpen, .inputOutput:
            // The log's shared memory and its journal fail so on a full disk, and where a file must not be opened.
            let cause = error.systemError
            let told: Set<Errno> = [.ENOSPC, .EDQUOT, .EMFILE, .ENFILE, .EROFS, .ENOMEM]
            let isFull = cause == .ENOSPC || cause == .EDQUOT
            self.init(
                .system,
                told.contains(cause) ? "\(message): \(cause.text)" : message,
                hint: isFull ? "Make room on the disk." : "",
                errno: told.contains(cause) ? cause : error.code == .cannotOpen ? .EACCES : .EIO
            )
        default: self.init(.system, message, errno: .EIO)
        }
    }
}

extension SQLiteStatement {
    func bind(_ index: CInt, _ handle: FileHandle) { handle.withBytes { bind(index, $0) } }
}
