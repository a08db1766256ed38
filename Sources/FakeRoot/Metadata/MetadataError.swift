public import LinuxFiles

/// Why a tree's metadata database can't be used.
public struct MetadataError: Error, Hashable, Sendable {
    /// What kind of failure it is.
    public enum Code: String, Hashable, Sendable {
        /// Nothing was written to it yet.
        case blank
        /// Damaged, or no database at all.
        case corrupt
        /// It held something once, and is empty or gone.
        case lost
        /// Written by a later release, or by another program.
        case foreign
        /// Another process keeps it locked.
        case busy
        /// The host refused: no space, no permission, an I/O error.
        case system
    }

    /// What kind of failure it is.
    public var code: Code
    /// What went wrong, with the database's path.
    public var message: String
    /// What to do about it; empty if there is nothing to say.
    public var hint: String
    /// What a request that met this is answered with.
    public var errno: Errno

    init(_ code: Code, _ message: String, hint: String = "", errno: Errno) {
        self.code = code
        self.message = message
        self.hint = hint
        self.errno = errno
    }
}

extension MetadataError: CustomStringConvertible {
    /// The message and, in a further line, the hint.
    public var description: String { hint.isEmpty ? message : "\(message)\n\(hint)" }
}
