extension SQLiteConnection {
    /// The first thing in the schema that computes, by name: a view, a trigger, a virtual table, or a generated column of one of
    /// `tables`; nil if all are plain tables and their indexes.
    /// - Parameter tables: names that need no quotes.
    /// - Throws: as `prepare` and `step`.
    public func firstComputed(columnsOf tables: [String]) throws(Failure) -> [UInt8]? {
        // SQLite makes what the text in `sql` says, whatever `type` is: it can say "table" of a view.
        let schema = try prepare(
            """
            SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index')
            OR type = 'table' AND (rootpage IS NULL OR rootpage <= 0 OR sql NOT LIKE 'CREATE TABLE %' OR sql IS NULL
                OR name LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT IN ('sqlite_sequence', 'sqlite_stat1', 'sqlite_stat4'))
            OR type = 'index' AND sql NOT LIKE 'CREATE INDEX %' AND sql NOT LIKE 'CREATE UNIQUE INDEX %'
            """
        )
        if try schema.step() { return schema.bytes(0) }
        for table in tables {
            let columns = try prepare("PRAGMA table_xinfo(\(table))")
            while try columns.step() {
                // 0 is a column with a value of its own.
                if columns.number(6) != 0 { return columns.bytes(1) }
            }
        }
        return nil
    }
}
