internal import CSQLite

/// The arguments of an SQL function.
public struct SQLiteArguments {
    /// How many there are.
    public let count: Int
    private let values: UnsafeMutablePointer<OpaquePointer?>?

    init(_ count: CInt, _ values: UnsafeMutablePointer<OpaquePointer?>?) {
        self.count = Int(count)
        self.values = values
    }

    /// An argument, counted from 0.
    public subscript(index: Int) -> SQLiteValue { SQLiteValue(raw: values?[index]) }
}

/// An argument of an SQL function, as long as that runs.
public struct SQLiteValue {
    let raw: OpaquePointer?

    /// What is stored; the raw values are those of `sqlite3_value_type`.
    public enum Kind: Int32 {
        case integer = 1
        case real = 2
        case text = 3
        case blob = 4
        case null = 5
    }

    /// The type that the value has.
    public var kind: Kind { Kind(rawValue: sqlite3_value_type(raw)) ?? .null }

    /// The value as a whole number; 0 if it is none.
    public var number: Int64 { sqlite3_value_int64(raw) }

    /// Text or a blob.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let start = sqlite3_value_blob(raw)
        return body(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_value_bytes(raw))))
    }
}

/// SQLite keeps it until the connection closes.
private final class FunctionBody {
    let run: (SQLiteArguments) -> Int64

    init(_ run: @escaping (SQLiteArguments) -> Int64) { self.run = run }
}

extension SQLiteConnection {
    /// Adds an SQL function with any number of arguments, whose result depends on them alone. A schema can't call it.
    public func addFunction(_ name: String, _ body: @escaping (SQLiteArguments) -> Int64) {
        sqlite3_create_function_v2(
            raw,
            name,
            -1,
            SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
            Unmanaged.passRetained(FunctionBody(body)).toOpaque(),
            { context, count, values in
                guard let body = sqlite3_user_data(context) else { return }
                let function = Unmanaged<FunctionBody>.fromOpaque(body).takeUnretainedValue()
                sqlite3_result_int64(context, function.run(SQLiteArguments(count, values)))
            },
            nil,
            nil,
            { body in
                if let body { Unmanaged<FunctionBody>.fromOpaque(body).release() }
            }
        )
    }
}
