internal import LinuxFiles
internal import Synchronization
internal import SQLite

/// What a tree's database held last, kept outside of it: so a database that has gone or lost its content is noticed, and not
/// taken for that of a tree in which everything is root's.
///
/// It is in the attribute `user.usb9pfs.db` of the tree's directory; without attributes on the host's file system, in a file
/// beside the database. The text is "1 HANDLE ROWS" and perhaps " manifest". HANDLE, in hexadecimal, is the directory's, so that
/// a copy of the tree is recognized. There were at least ROWS labels and attributes. A database of version 1 has no record.
final class DatabaseRecord: Sendable {
    struct Content: Equatable, Sendable {
        var rows: UInt64 = 0
        var hasManifest = false

        var isEmpty: Bool { rows == 0 && !hasManifest }
    }

    private struct State {
        var content: Content?
        /// The file beside the database, where there are no attributes.
        var file: DatabaseFile?
    }

    static let suffix = "-record"
    private static let attribute: StaticString = "user.usb9pfs.db"

    /// The tree's directory; stays open as long as this is used.
    private let root: CInt
    private let handle: String
    private let hasAttributes: Bool
    private let mayWrite: Bool
    private let state = Mutex(State())
    /// Whether the tree is a copy of one whose database had something.
    let isOfAnotherTree: Bool

    /// - Parameter candidates: where databases may lie, and records beside them.
    init(root: CInt, handle: FileHandle, mayWrite: Bool, beside candidates: [DatabaseFile]) {
        self.root = root
        self.handle = handle.text
        self.mayWrite = mayWrite
        let text: String?
        var file: DatabaseFile?
        do throws(Errno) {
            text = try Self.readAttribute(of: root)
            hasAttributes = true
        } catch .EOPNOTSUPP {
            hasAttributes = false
            file = candidates.map { $0.with(Self.suffix) }.first {
                Self.parse(Self.readFile($0) ?? "")?.handle == handle.text
            }
            text = file.flatMap { Self.readFile($0) }
        } catch {
            hasAttributes = true
            text = nil
        }
        let found = text.flatMap { Self.parse($0) }
        let isOwn = found?.handle == handle.text
        isOfAnotherTree = !isOwn && found.map { !$0.content.isEmpty } ?? false
        let content = isOwn ? found?.content : nil
        state.withLock { $0 = State(content: content, file: file) }
    }

    var content: Content? { state.withLock { $0.content } }

    /// The database that the file goes beside.
    func setDatabase(_ file: DatabaseFile) {
        let path = file.with(Self.suffix)
        let old = state.withLock { state in
            defer { state.file = path }
            return state.file
        }
        guard !hasAttributes, mayWrite, let old, !old.isSame(as: path) else { return }
        if let content { write(content, path) }
        try? old.remove()
    }

    /// Changes the record, best effort: if it can't be written a loss may go unnoticed.
    ///
    /// Reads it anew before: other processes write it too.
    func update(_ body: (inout Content) -> Void) {
        guard mayWrite else { return }
        state.withLock { state in
            let old = stored(state.file)
            var content = old ?? Content()
            body(&content)
            state.content = content
            if content != old { write(content, state.file) }
        }
    }

    /// Another process has changed the database, and perhaps the record.
    func readAgain() {
        guard mayWrite else { return }
        state.withLock { $0.content = stored($0.file) }
    }

    private func stored(_ file: DatabaseFile?) -> Content? {
        let text = hasAttributes ? (try? Self.readAttribute(of: root)) ?? nil : file.flatMap { Self.readFile($0) }
        guard let found = text.flatMap({ Self.parse($0) }), found.handle == handle else { return nil }
        return found.content
    }

    /// To be called before the database is removed on purpose.
    func remove() {
        state.withLock { state in
            state.content = nil
            if hasAttributes {
                try? System.removeAttribute(Self.attribute.cString, of: root)
            } else {
                try? state.file?.remove()
            }
        }
    }

    private func write(_ content: Content, _ file: DatabaseFile?) {
        let text = Array("1 \(handle) \(content.rows)\(content.hasManifest ? " manifest" : "")".utf8)
        if hasAttributes {
            try? System.setAttribute(Self.attribute.cString, of: root, to: text.span.bytes)
        } else if let opened = try? file?.open([.writeOnly, .create]) {
            try? System.truncate(opened.raw, to: 0)
            _ = try? System.write(opened.raw, text.span.bytes, at: 0)
        }
    }

    private static func readAttribute(of root: CInt) throws(Errno) -> String? {
        try withUnsafeStackBuffer(512) { (buffer) throws(Errno) in
            do throws(Errno) {
                let size = try System.getAttribute(attribute.cString, of: root, into: buffer)
                return String(decoding: buffer[..<size], as: UTF8.self)
            } catch .ENODATA, .ERANGE {
                return nil
            }
        }
    }

    private static func readFile(_ file: DatabaseFile) -> String? {
        guard let status = try? file.status, SQLiteFiles.objection(status) == nil,
            let opened = try? file.open(.readOnly)
        else { return nil }
        return try? withUnsafeStackBuffer(512) { (buffer) throws(Errno) in
            let size = try System.read(opened.raw, into: buffer, at: 0)
            return String(decoding: buffer[..<size], as: UTF8.self)
        }
    }

    private static func parse(_ text: String) -> (handle: String, content: Content)? {
        let parts = text.split(separator: " ")
        guard parts.count >= 3, parts[0] == "1", let rows = UInt64(parts[2]) else { return nil }
        return (String(parts[1]), Content(rows: rows, hasManifest: parts.count > 3 && parts[3] == "manifest"))
    }
}
