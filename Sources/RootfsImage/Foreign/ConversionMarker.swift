internal import ImageEntries
internal import LinuxFiles

/// How far a conversion in place has come, in an attribute of the tree's root: whoever finds it finds a tree between two
/// ways of keeping metadata, and which of them counts.
///
/// Anybody who may write to the directory can set it, so it is only believed as far as the files agree
/// (`ConversionCheck`).
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

    /// - Parameter path: of the directory, for messages.
    /// - Returns: nil if no conversion is under way.
    /// - Throws: `badDestination`, without a cause, for what no conversion writes.
    static func read(_ root: CInt, _ path: String) throws(ImageError) -> ConversionMarker? {
        let value: [UInt8]
        do throws(Errno) {
            value = try HostAttributes.read(Array(name.utf8), of: root)
        } catch .ENODATA, .EOPNOTSUPP {
            return nil
        } catch {
            throw ImageError("can't read the attribute \(name) of the directory", error)
        }
        let words = String(decoding: value, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, let phase = Phase(rawValue: String(words[0])),
            let from = MetadataKind(rawValue: String(words[1])), let to = MetadataKind(rawValue: String(words[2])),
            from != to, TreeConversion.targets.contains(to)
        else {
            throw ImageError(
                .badDestination,
                "\(ShellWord(path)) is marked as being converted, but '\(printable(value.prefix(80)))' is not a mark of a conversion",
                hint: removal(path)
            )
        }
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
        let finish = "Finish it:\n    p9serve convert \(ShellWord(path)) --to \(to.rawValue)\n"
        return ImageError(
            .badDestination,
            "\(ShellWord(path)) is being converted from \(from.label) to \(to.label), or that was interrupted",
            hint: phase == .describe
                ? finish + "Or go back; the old metadata are still whole:\n    \(Self.removalCommand(path))"
                : finish + "It verifies first that the new metadata are there, and removes nothing otherwise."
        )
    }

    /// The error for a mark that the files contradict.
    /// - Parameter reason: a sentence without a full stop.
    func misfit(_ path: String, _ reason: String) -> ImageError {
        ImageError(
            .badDestination,
            "\(ShellWord(path)) is marked as being converted from \(from.label) to \(to.label), but \(reason)",
            hint: "Nothing was removed. " + Self.removal(path)
        )
    }

    /// The error for files on which the old and the new metadata contradict each other.
    /// - Parameter reason: a sentence without a full stop.
    func contradiction(_ path: String, _ reason: String) -> ImageError {
        ImageError(
            .badDestination,
            "\(ShellWord(path)) can't be converted from \(from.label) to \(to.label): \(reason)",
            hint: "Nothing was removed. Take away from this file what is wrong (getfattr -d -m - shows both), then:\n"
                + "    p9serve convert \(ShellWord(path)) --to \(to.rawValue)"
                + (phase == .describe
                    ? "\nOr go back; the old metadata are still whole:\n    \(Self.removalCommand(path))" : "")
        )
    }

    /// What to do about a mark that no conversion has set.
    private static func removal(_ path: String) -> String {
        """
        If nobody has begun to convert this directory, the mark is somebody else's. Take it away; the labels stay as they are:
            \(removalCommand(path))
        """
    }

    private static func removalCommand(_ path: String) -> String { "setfattr -x \(name) \(ShellWord(path))" }
}
