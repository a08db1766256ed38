internal import LinuxFiles

/// How far a conversion in place has come, in an attribute of the tree's root: whoever finds it finds a tree between two
/// ways of keeping metadata, and which of them counts.
struct ConversionMarker: Hashable {
    enum Phase: String {
        /// All files get the new metadata beside the old; the old count.
        case describe
        /// Files of another type are replaced, one by one; the new metadata count for those that were.
        case replace
        /// The old metadata are removed; the new count.
        case clean
    }

    var phase: Phase
    var from: MetadataKind
    var to: MetadataKind

    static let name = "user.usb9pfs.convert"

    /// - Returns: nil if no conversion is under way.
    static func read(_ root: CInt) throws(ImageError) -> ConversionMarker? {
        let value: [UInt8]
        do throws(Errno) {
            value = try HostAttributes.read(Array(name.utf8), of: root)
        } catch .ENODATA, .EOPNOTSUPP {
            return nil
        } catch {
            throw ImageError("can't read the attribute \(name) of the directory", error)
        }
        let words = String(decoding: value, as: UTF8.self).split(separator: " ").map(String.init)
        guard words.count == 3, let phase = Phase(rawValue: words[0]), let from = MetadataKind(rawValue: words[1]),
            let to = MetadataKind(rawValue: words[2])
        else { throw ImageError(.badArchive, "the attribute \(name) of the directory is damaged") }
        return ConversionMarker(phase: phase, from: from, to: to)
    }

    func write(to root: CInt) throws(ImageError) {
        let text = "\(phase.rawValue) \(from.rawValue) \(to.rawValue)"
        try ImageError.attempt("can't mark the directory as being converted") { () throws(Errno) in
            try HostAttributes.write(Array(Self.name.utf8), Array(text.utf8), to: root)
        }
    }

    static func remove(from root: CInt) throws(ImageError) {
        try ImageError.attempt("can't end the conversion") { () throws(Errno) in
            try HostAttributes.remove(Array(name.utf8), from: root)
        }
    }

    /// The error for whoever wants to read a tree in between.
    func failure(_ path: String) -> ImageError {
        ImageError(
            .badDestination,
            "\(path) is being converted from \(from.label) to \(to.label), or that was interrupted",
            hint: "Finish it:\n    p9serve convert \(path) --to \(to.rawValue)"
        )
    }
}
