internal import ImageEntries
internal import LinuxFiles
internal import SQLite

/// A database of another tool's, which may be anybody's: what is in it is not trusted.
typealias ForeignDatabase = SQLiteConnection<ImageError>
typealias ForeignStatement = SQLiteStatement<ImageError>

extension SQLiteConnection<ImageError> {
    /// In bytes; a database of pseudo's has some 500 for each file.
    private static var maxSize: UInt64 { 512 << 20 }
    private static var maxValue: Int { 64 << 20 }
    /// Some seconds' work: far longer than any query of ours can take.
    private static var maxInstructions: Int { 300_000_000 }

    /// Reads a database as a whole into memory, as any file, and gives SQLite only that copy. It must hold tables and their
    /// indexes only, and no columns that compute.
    /// - Throws: `badArchive` unless it is a database of a kind that we read.
    convenience init(reading path: String) throws(ImageError) {
        let image = try Self.image(path)
        do throws(SQLiteError) {
            try self.init(
                reading: image,
                limit: .instructionsPerStep(Self.maxInstructions),
                maxValue: Self.maxValue
            ) { ImageError($0, in: path) }
        } catch {
            throw ImageError(error, in: path)
        }
        if let name = try firstComputed(columnsOf: ["files", "xattrs"]) {
            throw ImageError(
                .badArchive,
                "the database \(path) has \(printable(name)), which is not a plain table: no tool that we know makes that"
            )
        }
    }

    /// Opens a database to write, and makes it if it isn't there. No symbolic link leads elsewhere.
    convenience init(writing path: String) throws(ImageError) {
        let (parent, last) = Destination.split(path)
        let directory = try ImageError.attempt("can't open \(parent)") { () throws(Errno) in
            let opened = try System.open(parent, [.path, .directory])
            return try System.currentPath(of: opened.raw)
        }
        // SQLite refuses links in the whole path, so it gets the one without any.
        guard let real = String(validating: directory, as: UTF8.self) else {
            throw ImageError(.badDestination, "the path \(printable(directory)) is not UTF-8, which SQLite wants")
        }
        do throws(SQLiteError) {
            try self.init(makingFile: "\(real)/\(last)", maxValue: Self.maxValue, busyTimeout: 2000) {
                ImageError($0, in: path)
            }
        } catch {
            throw ImageError(.badArchive, "can't open the database \(path): \(error.message)")
        }
    }

    private static func image(_ path: String) throws(ImageError) -> SQLiteImage {
        let held = try ImageError.attempt("can't open \(path)") { () throws(Errno) in try System.open(path, .path) }
        let size = try regularSize(of: held.raw, path, limit: maxSize)
        try refuseUnfinished(path)
        guard size >= SQLiteImage.minSize else {
            throw ImageError(.badArchive, "the database \(path): it is too short for one")
        }
        do throws(Errno) {
            let file = try openRegularFile(held.raw)
            return try SQLiteImage(of: file.raw, size: size)
        } catch .ENOMEM {
            throw ImageError(.badArchive, "the database \(path): no memory")
        } catch {
            throw ImageError("can't read \(path)", error)
        }
    }

    /// Changes that are not in the file itself yet are in a log or a journal beside it. Without them the file shows a state that
    /// never was.
    private static func refuseUnfinished(_ path: String) throws(ImageError) {
        for suffix in ["-wal", "-journal"] {
            guard let file = try? System.open(path + suffix, .path), let status = try? System.status(of: file.raw),
                status.format == .regular, status.size > 0
            else { continue }
            // A journal that is kept for the next change begins with zeros.
            if suffix == "-journal", (try? readMetadataFile(path + suffix, limit: maxSize))?.first == 0 { continue }
            throw ImageError(
                .badArchive,
                "the database \(path) is in use, or was when its program ended: \(path + suffix) has the latest changes",
                hint: "End the program that uses it. If none does, have SQLite finish it:\n"
                    + "    sqlite3 \(ShellWord(path)) 'PRAGMA wal_checkpoint(TRUNCATE)'"
            )
        }
    }
}

extension ImageError {
    /// What SQLite says of the database at a path.
    init(_ error: SQLiteError, in path: String) {
        let code: Code =
            switch error.code {
            case .full: .noSpace
            case .permission, .authorization, .readOnly: .permission
            case .inputOutput, .busy, .noMemory: .system
            default: .badArchive
            }
        self.init(code, "the database \(path): \(printable(error.message))")
    }
}
