extension JSONValue {
    /// What is not a JSON text, or deeper than 64 levels, or has a name twice in one object.
    public struct Malformed: Error {
        /// Where it was noticed, in bytes from the start.
        public let offset: Int
    }

    /// Reads a text strictly by RFC 8259. The caller bounds its size.
    /// - Throws: `Malformed`.
    public init(parsing bytes: [UInt8]) throws(Malformed) {
        var parser = JSONParser(bytes)
        self = try parser.parse()
    }

    /// A member of an object; nil if this is not an object or lacks it. Looks at one member after the other.
    public subscript(name: String) -> JSONValue? {
        object?.first { $0.key == name }?.value
    }

    /// The text; nil for another kind of value.
    public var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The whole number; nil for another kind of value.
    public var integer: Int64? {
        guard case .integer(let number) = self else { return nil }
        return number
    }

    /// The elements; nil for another kind of value.
    public var array: [JSONValue]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    /// Whether it is null.
    public var isNull: Bool {
        guard case .null = self else { return false }
        return true
    }

    /// An array's elements; none for null, as Go writes an empty list. Nil for all else.
    public var list: [JSONValue]? { isNull ? [] : array }

    /// The members in their order; nil for another kind of value.
    public var object: [(key: String, value: JSONValue)]? {
        guard case .object(let members) = self else { return nil }
        return members
    }
}
