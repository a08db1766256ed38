public import LinuxFiles
internal import SQLite

/// Labels and attributes.
extension MetadataDatabase {
    /// - Throws: `.corrupt` for a row that is not as it was written.
    func label(_ handle: FileHandle) throws(MetadataError) -> Label? {
        try read { (reader) throws(MetadataError) in
            defer { reader.node.reset() }
            reader.node.bind(1, handle)
            guard try reader.node.step() else { return nil }
            guard reader.node.number(5) != 0, let label = Self.label(reader.node, 0, hasHostMode: true) else {
                throw damaged("node")
            }
            return label
        }
    }

    /// - Parameter first: the column of the uid; gid, mode, kind and perhaps the host's mode follow.
    static func label(_ row: MetadataStatement, _ first: CInt, hasHostMode: Bool) -> Label? {
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
        try write { (connection, changes) throws(MetadataError) in
            changes.node.bind(1, handle)
            changes.node.bind(2, label.uid)
            changes.node.bind(3, label.gid)
            changes.node.bind(4, label.mode)
            changes.node.bind(5, text: (label.kind ?? .file).labelText)
            if case .standing(let mode) = label.mirror {
                changes.node.bind(6, mode)
            } else {
                changes.node.bindNull(6)
            }
            try changes.node.run()
        }
        recordRows()
    }

    /// - Returns: whether there was one.
    @discardableResult
    func removeLabel(_ handle: FileHandle) throws(MetadataError) -> Bool {
        try remove { (connection, changes) throws(MetadataError) in
            changes.removeNode.bind(1, handle)
            try changes.removeNode.run()
            return connection.changes > 0
        }
    }

    func attribute(_ handle: FileHandle, _ name: UnsafeRawBufferPointer) throws(MetadataError) -> [UInt8]? {
        try read { (reader) throws(MetadataError) in
            defer { reader.attribute.reset() }
            reader.attribute.bind(1, handle)
            reader.attribute.bind(2, name)
            guard try reader.attribute.step() else { return nil }
            guard reader.attribute.number(1) != 0 else { throw damaged("attribute") }
            return reader.attribute.bytes(0)
        }
    }

    func setAttribute(
        _ handle: FileHandle,
        _ name: UnsafeRawBufferPointer,
        _ value: UnsafeRawBufferPointer
    ) throws(MetadataError) {
        try write { (connection, changes) throws(MetadataError) in
            changes.attribute.bind(1, handle)
            changes.attribute.bind(2, name)
            changes.attribute.bind(3, value)
            try changes.attribute.run()
        }
        recordRows()
    }

    /// - Returns: whether there was one.
    func removeAttribute(_ handle: FileHandle, _ name: UnsafeRawBufferPointer) throws(MetadataError) -> Bool {
        try remove { (connection, changes) throws(MetadataError) in
            changes.removeAttribute.bind(1, handle)
            changes.removeAttribute.bind(2, name)
            try changes.removeAttribute.run()
            return connection.changes > 0
        }
    }

    func attributeNames(_ handle: FileHandle) throws(MetadataError) -> [[UInt8]] {
        try read { (reader) throws(MetadataError) in
            defer { reader.attributeNames.reset() }
            reader.attributeNames.bind(1, handle)
            var names: [[UInt8]] = []
            while try reader.attributeNames.step() { names.append(reader.attributeNames.bytes(0)) }
            return names
        }
    }

    /// Forgets a file.
    func removeRows(_ handle: FileHandle) throws(MetadataError) {
        try remove { (connection, changes) throws(MetadataError) in
            changes.removeNode.bind(1, handle)
            try changes.removeNode.run()
            changes.removeAttributes.bind(1, handle)
            try changes.removeAttributes.run()
        }
    }

    /// Up to `limit` labels that come after a handle, in the order of handles.
    func labels(after last: [UInt8]?, limit: Int) throws(MetadataError) -> [(FileHandle, Label)] {
        try read { (reader) throws(MetadataError) in
            let statement = try reader.connection.prepare(
                """
                SELECT handle, uid, gid, mode, kind, host_mode, \(RowSum.isRight(RowSum.node, version: version)) FROM node
                WHERE ?1 IS NULL OR handle > ?1 ORDER BY handle LIMIT ?2
                """
            )
            statement.bind(1, last)
            statement.bind(2, Int64(limit))
            var rows: [(FileHandle, Label)] = []
            while try statement.step() {
                guard let handle = statement.withBytes(0, { FileHandle(stored: $0) }), statement.number(6) != 0,
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
        try read { (reader) throws(MetadataError) in
            let statement = try reader.connection.prepare(
                """
                SELECT handle, name, value, \(RowSum.isRight(RowSum.attribute, version: version)) FROM attribute
                WHERE ?1 IS NULL OR (handle, name) > (?1, ?2) ORDER BY handle, name LIMIT ?3
                """
            )
            statement.bind(1, last?.handle)
            statement.bind(2, last?.name)
            statement.bind(3, Int64(limit))
            var rows: [AttributeRow] = []
            while try statement.step() {
                guard let handle = statement.withBytes(0, { FileHandle(stored: $0) }), statement.number(3) != 0 else {
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
    /// - Throws: `.corrupt` for a row that is not as it was written.
    func forEachHandle(
        _ connection: MetadataConnection,
        label: (_ fingerprint: UInt64, _ isSymlink: Bool) -> Void,
        attribute: (_ fingerprint: UInt64) -> Void
    ) throws(MetadataError) {
        let isNodeRight = RowSum.isRight(RowSum.node, version: version)
        let nodes = try connection.prepare("SELECT handle, kind = 'symlink', \(isNodeRight) FROM node")
        while try nodes.step() {
            guard nodes.number(2) != 0, let handle = nodes.withBytes(0, { FileHandle(stored: $0) }) else {
                throw damaged("node")
            }
            label(handle.fingerprint, nodes.number(1) != 0)
        }
        let isAttributeRight = RowSum.isRight(RowSum.attribute, version: version)
        let attributes = try connection.prepare("SELECT handle, \(isAttributeRight) FROM attribute")
        while try attributes.step() {
            guard attributes.number(1) != 0, let handle = attributes.withBytes(0, { FileHandle(stored: $0) }) else {
                throw damaged("attribute")
            }
            attribute(handle.fingerprint)
        }
    }

    /// Has SQLite look at every page, and compares every row with its checksum.
    /// - Parameter milliseconds: how long that may take.
    /// - Returns: what is wrong, one line each; empty if all is well, nil if the time was too short.
    func problems(milliseconds: UInt64? = nil) throws(MetadataError) -> [String]? {
        try withOwnConnection { (connection) throws(MetadataError) in
            if let milliseconds { connection.setWorkLimit(.milliseconds(milliseconds)) }
            var problems: [String] = []
            let end = milliseconds.map { System.monotonicMilliseconds + $0 }
            do throws(MetadataError) {
                let check = try connection.prepare("PRAGMA quick_check(20)")
                while try check.step() { problems.append(check.text(0)) }
                if problems == ["ok"] { problems = [] }
                guard problems.isEmpty else { return problems }
                guard version > 1 else { return [] }
                for (table, sum) in [
                    ("node", RowSum.node), ("attribute", RowSum.attribute), ("manifest", RowSum.manifest),
                ] {
                    let wrong = try connection.number("SELECT count(*) FROM \(table) WHERE sum <> \(sum)")
                    if wrong > 0 {
                        problems.append("\(wrong) rows of the table \(table) are not as they were written")
                    }
                }
                // The quick check leaves this out: the index must lead to the right rows.
                let lost = try connection.number(
                    """
                    SELECT count(*) FROM manifest AS a WHERE handle IS NOT NULL AND NOT EXISTS
                    (SELECT 1 FROM manifest AS b INDEXED BY manifest_handle WHERE b.handle = a.handle AND b.path = a.path)
                    """
                )
                if lost > 0 { problems.append("\(lost) rows of the table manifest are not in its index") }
                return problems
            } catch {
                if let end, System.monotonicMilliseconds > end { return nil }
                throw error
            }
        }
    }
}

/// An attribute that no extended attribute of the host could hold.
public struct AttributeRow: Hashable, Sendable {
    /// The file that has the attribute.
    public var file: FileHandle
    /// As the board says it.
    public var name: [UInt8]
    /// At most 64 KiB.
    public var value: [UInt8]
}
