package import ImageEntries
internal import JSONText
package import LinuxFiles

/// The files of a container image: a directory, or a tar archive that can be read here and there.
package protocol LayoutFiles: AnyObject {
    /// What messages call it.
    var name: String { get }
    /// What the user may want to know of the files; printable.
    var notices: [String] { get }

    /// Opens a file.
    /// - Parameter path: relative, checked with `isSafe`.
    /// - Returns: nil if there is none.
    func open(_ path: String) throws(ImageError) -> LayoutFile?

    /// The names in a directory; none if there is no such directory.
    /// - Parameter directory: its path, empty for the top.
    func names(in directory: String) throws(ImageError) -> [String]
}

/// A file of a container image.
package struct LayoutFile: ~Copyable {
    package var descriptor: OwnedDescriptor
    /// Which of the descriptor's bytes it is.
    package var part: Range<UInt64>

    package var size: UInt64 { UInt64(part.count) }
}

extension LayoutFiles {
    package var notices: [String] { [] }

    /// Whether a path from an image's document names a file of the image.
    static func isSafe(_ path: String) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return !path.isEmpty && !path.utf8.contains(0) && parts.allSatisfy { !["", ".", ".."].contains($0) }
    }

    func exists(_ path: String) throws(ImageError) -> Bool { try open(path) != nil }

    /// Opens a file that another one names.
    func need(_ path: String) throws(ImageError) -> LayoutFile {
        let shown = printable(path.utf8)
        guard Self.isSafe(path) else { throw .badImage(name, "it names the file \(shown), which can't be in it") }
        guard let file = try open(path) else { throw .badImage(name, "there is no \(shown) in it") }
        return file
    }

    /// Reads a document.
    /// - Parameters:
    ///   - digest: what it must have, as 64 digits; nil if nobody says.
    ///   - size: what it must have, in bytes; nil if nobody says.
    func document(
        _ path: String,
        sha256 digest: String? = nil,
        size: UInt64? = nil
    ) throws(ImageError) -> JSONValue {
        let file = try need(path)
        let shown = printable(path.utf8)
        if let size, size != file.size {
            throw .badImage(name, "\(shown) has \(file.size) bytes and not \(size)")
        }
        guard file.size <= maxDocumentSize else { throw .badImage(name, "\(shown) is too large for a document") }
        var bytes = [UInt8](repeating: 0, count: Int(file.size))
        let count = try ImageError.attempt("can't read \(shown) in \(name)") { () throws(Errno) in
            try bytes.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                let offset = Int64(clamping: file.part.lowerBound)
                return try System.read(
                    file.descriptor.raw,
                    into: UnsafeMutableRawBufferPointer(buffer),
                    at: offset
                )
            }
        }
        guard count == bytes.count else { throw .badImage(name, "\(shown) is cut short") }
        if let digest { try Digest.check(bytes, digest, "\(shown)", name) }
        do throws(JSONValue.Malformed) {
            return try JSONValue(parsing: bytes)
        } catch {
            throw .badImage(name, "\(shown) is not a JSON document (byte \(error.offset))")
        }
    }
}

extension LayoutFiles {
    /// Reads a document that another one names.
    func document(_ descriptor: ImageDescriptor) throws(ImageError) -> JSONValue {
        try document(descriptor.path, sha256: descriptor.digest, size: descriptor.size)
    }
}

/// As registries limit manifests, in bytes.
private let maxDocumentSize: UInt64 = 4 << 20

extension ImageError {
    /// The error for a container image that is not as it should be.
    static func badImage(_ name: String, _ what: String) -> ImageError {
        ImageError(
            .badArchive,
            "the container image in \(name) is not whole or not valid: \(what)",
            hint: "Copy or save the image again."
        )
    }
}
