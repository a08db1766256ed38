internal import CSQLite
public import LinuxFiles

/// The bytes of a database file, in memory that SQLite can take over.
public struct SQLiteImage: ~Copyable {
    private let content: UnsafeMutableRawBufferPointer

    /// Reads a file as a whole.
    /// - Parameters:
    ///   - file: a descriptor of a regular file.
    ///   - size: its size in bytes.
    /// - Throws: `ENOMEM`; `EINVAL` for a file too short for a database; `ESTALE` if there was less to read.
    public init(of file: CInt, size: UInt64) throws(Errno) {
        guard size >= Self.minSize else { throw .EINVAL }
        guard let memory = sqlite3_malloc64(size) else { throw .ENOMEM }
        let content = UnsafeMutableRawBufferPointer(start: memory, count: Int(size))
        do throws(Errno) {
            guard try System.read(file, into: content, at: 0) == content.count else { throw .ESTALE }
        } catch {
            sqlite3_free(memory)
            throw error
        }
        // All changes are in the file itself: it is read as if there had never been a write-ahead log. Bytes 18 and 19:
        // https://sqlite.org/fileformat2.html, "File format version numbers".
        if content[18] == 2, content[19] == 2 { (content[18], content[19]) = (1, 1) }
        self.content = content
    }

    /// The smallest page, in bytes: a database has at least one.
    public static var minSize: UInt64 { 512 }

    deinit { sqlite3_free(content.baseAddress) }

    /// Hands the memory over to whoever frees it by `sqlite3_free`.
    consuming func release() -> UnsafeMutableRawBufferPointer {
        let content = content
        discard self
        return content
    }
}
