internal import CSQLite
public import LinuxFiles

/// Why SQLite refused something: its primary result code, its message, and the host's errno where there is one.
public struct SQLiteError: Error, Hashable, Sendable {
    /// A primary result code, as https://sqlite.org/rescode.html lists them.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The primary result code.
        public let rawValue: Int32

        /// The code of a result.
        /// - Parameter rawValue: a primary or an extended result code; of the latter the primary part is kept.
        public init(rawValue: Int32) { self.rawValue = rawValue & 0xff }

        /// SQLITE_CORRUPT.
        public static let corrupt = Code(rawValue: SQLITE_CORRUPT)
        /// SQLITE_NOTADB.
        public static let notADatabase = Code(rawValue: SQLITE_NOTADB)
        /// The work limit was reached.
        public static let interrupted = Code(rawValue: SQLITE_INTERRUPT)
        /// SQLITE_BUSY.
        public static let busy = Code(rawValue: SQLITE_BUSY)
        /// SQLITE_LOCKED.
        public static let locked = Code(rawValue: SQLITE_LOCKED)
        /// SQLITE_FULL.
        public static let full = Code(rawValue: SQLITE_FULL)
        /// SQLITE_NOMEM.
        public static let noMemory = Code(rawValue: SQLITE_NOMEM)
        /// SQLITE_TOOBIG.
        public static let tooBig = Code(rawValue: SQLITE_TOOBIG)
        /// SQLITE_READONLY.
        public static let readOnly = Code(rawValue: SQLITE_READONLY)
        /// SQLITE_PERM.
        public static let permission = Code(rawValue: SQLITE_PERM)
        /// SQLITE_AUTH.
        public static let authorization = Code(rawValue: SQLITE_AUTH)
        /// SQLITE_CANTOPEN.
        public static let cannotOpen = Code(rawValue: SQLITE_CANTOPEN)
        /// SQLITE_IOERR.
        public static let inputOutput = Code(rawValue: SQLITE_IOERR)
        /// SQLITE_MISUSE.
        public static let misuse = Code(rawValue: SQLITE_MISUSE)
    }

    /// What kind of failure it is.
    public let code: Code
    /// SQLite's own words, in English, without the file's name. May contain bytes of a hostile database.
    public let message: String
    /// The errno of the system call that failed; 0 if none did. The corresponding C function is `sqlite3_system_errno`.
    public let systemError: Errno

    /// An error with this code and text.
    /// - Parameter systemError: of the system call that failed; 0 if none did.
    public init(_ code: Code, _ message: String, systemError: Errno = Errno(rawValue: 0)) {
        self.code = code
        self.message = message
        self.systemError = systemError
    }

    /// What a connection says of its last call.
    /// - Parameter connection: nil where SQLite had no memory for one.
    init(_ status: CInt, of connection: OpaquePointer?) {
        self.init(
            Code(rawValue: status),
            connection.flatMap { sqlite3_errmsg($0) }.map { String(cString: $0) } ?? "no memory",
            systemError: Errno(rawValue: connection.map { sqlite3_system_errno($0) } ?? 0)
        )
    }
}
