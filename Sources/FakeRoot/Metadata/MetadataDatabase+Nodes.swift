public import LinuxFiles
internal import Synchronization

/// Labels and attributes.
extension MetadataDatabase {
    func label(_ handle: FileHandle) throws(MetadataError) -> Label? {
        try lock.withLock { _ throws(MetadataError) in
            defer { statements.readNode.reset() }
            statements.readNode.bind(1, handle)
            guard try statements.readNode.step(connection) else { return nil }
            return Self.label(statements.readNode, 0, hasHostMode: true)
        }
    }

    /// - Parameter first: the column of the uid; gid, mode, kind and perhaps the host's mode follow.
    static func label(_ row: borrowing SQLiteStatement, _ first: CInt, hasHostMode: Bool) -> Label? {
        guard let kind = row.withBytes(first + 3, { Label.kind($0) }) else { return nil }
        var label = Label(
            uid: UInt32(truncatingIfNeeded: row.number(first)),
            gid: UInt32(truncatingIfNeeded: row.number(first + 1)),
            mode: UInt32(truncatingIfNeeded: row.number(first + 2)),
            kind: kind
        )
        if hasHostMode, !row.isNull(first + 4) {
            label.mirror = .standing(UInt32(truncatingIfNeeded: row.number(first + 4)) & 0o7777)
        }
        return label
    }

    func setLabel(_ handle: FileHandle, _ label: Label) throws(MetadataError) {
        try lock.withLock { _ throws(MetadataError) in
            statements.writeNode.bind(1, handle)
            statements.writeNode.bind(2, label.uid)
            statements.writeNode.bind(3, label.gid)
            statements.writeNode.bind(4, label.mode)
            statements.writeNode.bind(5, text: (label.kind ?? .file).labelText)
            if case .standing(let mode) = label.mirror {
                statements.writeNode.bind(6, mode)
            } else {
                statements.writeNode.bindNull(6)
            }
            try statements.writeNode.run(connection)
        }
    }

    /// - Returns: whether there was one.
    @discardableResult
    func removeLabel(_ handle: FileHandle) throws(MetadataError) -> Bool {
        try lock.withLock { _ throws(MetadataError) in
            statements.removeNode.bind(1, handle)
            try statements.removeNode.run(connection)
            return connection.changes > 0
        }
    }

    func attribute(_ handle: FileHandle, _ name: UnsafeRawBufferPointer) throws(MetadataError) -> [UInt8]? {
        try lock.withLock { _ throws(MetadataError) in
            defer { statements.readAttribute.reset() }
            statements.readAttribute.bind(1, handle)
            statements.readAttribute.bind(2, name)
            guard try statements.readAttribute.step(connection) else { return nil }
            return statements.readAttribute.bytes(0)
        }
    }

    func setAttribute(
        _ handle: FileHandle,
        _ name: UnsafeRawBufferPointer,
        _ value: UnsafeRawBufferPointer
    ) throws(MetadataError) {
        try lock.withLock { _ throws(MetadataError) in
            statements.writeAttribute.bind(1, handle)
            statements.writeAttribute.bind(2, name)
            statements.writeAttribute.bind(3, value)
            try statements.writeAttribute.run(connection)
        }
    }

    /// - Returns: whether there was one.
    func removeAttribute(_ handle: FileHandle, _ name: UnsafeRawBufferPointer) throws(MetadataError) -> Bool {
        try lock.withLock { _ throws(MetadataError) in
            statements.removeAttribute.bind(1, handle)
            statements.removeAttribute.bind(2, name)
            try statements.removeAttribute.run(connection)
            return connection.changes > 0
        }
    }

    func attributeNames(_ handle: FileHandle) throws(MetadataError) -> [[UInt8]] {
        try lock.withLock { _ throws(MetadataError) in
            defer { statements.listAttributes.reset() }
            statements.listAttributes.bind(1, handle)
            var names: [[UInt8]] = []
            while try statements.listAttributes.step(connection) { names.append(statements.listAttributes.bytes(0)) }
            return names
        }
    }

    /// Forgets a file.
    func removeRows(_ handle: FileHandle) throws(MetadataError) {
        try lock.withLock { _ throws(MetadataError) in
            try connection.transaction { () throws(MetadataError) in
                statements.removeNode.bind(1, handle)
                try statements.removeNode.run(connection)
                statements.removeAttributes.bind(1, handle)
                try statements.removeAttributes.run(connection)
            }
        }
    }

    /// Up to `limit` labels that come after a handle, in the order of handles.
    func labels(after last: [UInt8]?, limit: Int) throws(MetadataError) -> [(FileHandle, Label)] {
        try lock.withLock { _ throws(MetadataError) in
            let statement = try connection.prepare(
                """
                SELECT handle, uid, gid, mode, kind, host_mode FROM node
                WHERE ?1 IS NULL OR handle > ?1 ORDER BY handle LIMIT ?2
                """
            )
            statement.bind(1, last)
            statement.bind(2, Int64(limit))
            var rows: [(FileHandle, Label)] = []
            while try statement.step(connection) {
                guard let handle = statement.withBytes(0, { FileHandle(stored: $0) }),
                    let label = Self.label(statement, 1, hasHostMode: true)
                else { throw damaged("node") }
                rows.append((handle, label))
            }
            return rows
        }
    }

    /// Up to `limit` attributes that come after a handle and name.
    func attributes(
        after last: (handle: [UInt8], name: [UInt8])?,
        limit: Int
    ) throws(MetadataError) -> [AttributeRow] {
        try lock.withLock { _ throws(MetadataError) in
            let statement = try connection.prepare(
                """
                SELECT handle, name, value FROM attribute
                WHERE ?1 IS NULL OR (handle, name) > (?1, ?2) ORDER BY handle, name LIMIT ?3
                """
            )
            statement.bind(1, last?.handle)
            statement.bind(2, last?.name)
            statement.bind(3, Int64(limit))
            var rows: [AttributeRow] = []
            while try statement.step(connection) {
                guard let handle = statement.withBytes(0, { FileHandle(stored: $0) }) else {
                    throw damaged("attribute")
                }
                rows.append(AttributeRow(file: handle, name: statement.bytes(1), value: statement.bytes(2)))
            }
            return rows
        }
    }

    func damaged(_ table: String) -> MetadataError {
        MetadataError(
            .corrupt,
            "the metadata database \(path): a row of the table \(table) makes no sense",
            hint: "Restore the file from a backup, or have `p9serve check --repair` look at the tree.",
            errno: .EIO
        )
    }

    /// Hands over every handle of the two tables; `isSymlink` says what a label's row is for.
    func forEachHandle(
        label: (_ fingerprint: UInt64, _ isSymlink: Bool) -> Void,
        attribute: (_ fingerprint: UInt64) -> Void
    ) throws(MetadataError) {
        try lock.withLock { _ throws(MetadataError) in
            let nodes = try connection.prepare("SELECT handle, kind = 'symlink' FROM node")
            while try nodes.step(connection) {
                guard let handle = nodes.withBytes(0, { FileHandle(stored: $0) }) else { throw damaged("node") }
                label(handle.fingerprint, nodes.number(1) != 0)
            }
            let attributes = try connection.prepare("SELECT DISTINCT handle FROM attribute")
            while try attributes.step(connection) {
                guard let handle = attributes.withBytes(0, { FileHandle(stored: $0) }) else {
                    throw damaged("attribute")
                }
                attribute(handle.fingerprint)
            }
        }
    }
}

/// An attribute that no extended attribute of the host could hold.
public struct AttributeRow: Hashable, Sendable {
    public var file: FileHandle
    /// As the board says it.
    public var name: [UInt8]
    public var value: [UInt8]
}
