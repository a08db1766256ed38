internal import Glibc

/// A file of frames in Fixtures: one frame a line in hexadecimal, or a blank line between two; "#" begins a comment.
public struct Fixture: Sendable, CustomStringConvertible {
    public var name: String
    public var frames: [[UInt8]]

    public var description: String { name }

    /// The package's directory.
    public static var package: String {
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    }

    /// All *.hex files of a directory in Fixtures; none if there is no such directory.
    public static func all(in directory: String) -> [Fixture] {
        let path = "\(package)/Fixtures/\(directory)"
        return listFiles(path).filter { $0.hasSuffix(".hex") }.sorted().map { name in
            Fixture(name: name, frames: frames(in: readText("\(path)/\(name)")))
        }
    }

    private static func frames(in text: String) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        var current: [UInt8] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            current += hex(String(line))
            // A frame says how long it is.
            while current.count >= 4 {
                let size = current.prefix(4).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
                guard size >= 7, current.count >= size else { break }
                frames.append(Array(current[..<size]))
                current.removeFirst(size)
            }
        }
        if !current.isEmpty { frames.append(current) }
        return frames
    }
}

/// The names in a directory; none if it can't be read.
public func listFiles(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        // d_name is a tuple: its address is where the record has it.
        let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
            name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}

/// A whole text file; empty if it can't be read.
public func readText(_ path: String) -> String {
    guard let file = fopen(path, "re") else { return "" }
    defer { fclose(file) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = fread(&buffer, 1, buffer.count, file)
        if count == 0 { return String(decoding: text, as: UTF8.self) }
        text += buffer[..<count]
    }
}
