/// A JSON text that was read: an image's index, manifest or configuration.
///
/// Strict (RFC 8259, and no name twice in an object), and bounded in depth; the caller bounds the size.
indirect enum JSONDocument: Hashable, Sendable {
    case null
    case bool(Bool)
    /// Nil for a fraction, and for what does not fit 64 bits: nothing in image documents that matters is one.
    case number(Int64?)
    case string(String)
    case array([JSONDocument])
    case object([String: JSONDocument])

    struct Malformed: Error {
        /// Where, in bytes.
        var offset: Int
    }

    /// - Throws: `Malformed` for what is no JSON text.
    init(parsing bytes: [UInt8]) throws(Malformed) {
        var parser = JSONParser(bytes)
        self = try parser.parse()
    }

    /// A member of an object; nil for what is none or has none.
    subscript(name: String) -> JSONDocument? {
        guard case .object(let members) = self else { return nil }
        return members[name]
    }

    var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    var integer: Int64? {
        guard case .number(let number) = self else { return nil }
        return number
    }

    var array: [JSONDocument]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    /// An array's elements; none for null, as Go writes an empty list. Nil for all else.
    var list: [JSONDocument]? { self == .null ? [] : array }

    var object: [String: JSONDocument]? {
        guard case .object(let members) = self else { return nil }
        return members
    }
}
