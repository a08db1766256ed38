@_exported public import JSONText  // a command line's value types are its users' too

extension JSONValue {
    /// Prints an object with `"version"` first, in lines of two-space indentation, on standard output.
    /// - Parameter version: the version of the command's keys; it changes when one goes away or changes its meaning.
    public static func printDocument(version: Int, _ members: [(key: String, value: JSONValue)]) {
        print(document(version: version, members))
    }

    /// What `printDocument` prints, without the end of the last line.
    public static func document(version: Int, _ members: [(key: String, value: JSONValue)]) -> String {
        JSONValue.object([("version", .integer(version))] + members).text()
    }
}
