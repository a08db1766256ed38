internal import ImageEntries
internal import LinuxFiles

/// Where something is to be made: a name in a directory.
struct Destination: ~Copyable {
    /// As the user wrote it.
    let path: String
    /// The path's last name; `name` is the same.
    let last: String
    let name: FileName
    let parentPath: String
    /// Open for reading.
    let parent: OwnedDescriptor

    /// - Parameter badName: the error for a path that does not end in a name; gets the cause.
    init(_ path: String, badName: (Errno) -> ImageError) throws(ImageError) {
        let (parentPath, last) = Self.split(path)
        let name: FileName
        do throws(Errno) {
            name = try FileName(last)
        } catch {
            throw badName(error)
        }
        let parent: OwnedDescriptor
        do throws(Errno) {
            parent = try System.open(parentPath, [.readOnly, .directory])
        } catch {
            var failure = ImageError("can't open the directory \(ShellWord(parentPath))", error)
            if error == .ENOENT { failure.hint = "Make it first:\n    mkdir -p \(ShellWord(parentPath))" }
            throw failure
        }
        self.path = path
        self.last = last
        self.name = name
        self.parentPath = parentPath
        self.parent = parent
    }

    /// "a/b//" is "b" in "a"; "b" is "b" in ".".
    static func split(_ path: String) -> (parent: String, last: String) {
        var bytes = Array(path.utf8)
        while bytes.count > 1, bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else {
            return (".", String(decoding: bytes, as: UTF8.self))
        }
        let parent = slash == 0 ? bytes[...0] : bytes[..<slash]
        return (String(decoding: parent, as: UTF8.self), String(decoding: bytes[(slash + 1)...], as: UTF8.self))
    }
}
