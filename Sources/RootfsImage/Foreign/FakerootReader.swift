internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// What `fakeroot -s FILE` saves: a line `dev=HEX,ino=N,mode=OCTAL,uid=N,gid=N,nlink=N,rdev=N` for each inode. A file
/// without a line is root's.
///
/// It has no paths, and inode numbers are used again. So a file that was made after the last save gets nothing. A line with
/// another type than its file means that this is another tree, which is refused.
final class FakerootReader: MetadataReader {
    private struct Identity: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    private struct Line {
        var owner: Owner
        var mode: UInt32
        var device: UInt64
    }

    private let path: String
    private var lines: [Identity: Line] = [:]
    private var used: Set<Identity> = []
    private let saved: FileTime
    private var younger = 0

    init(_ path: String, root: CInt) throws(ImageError) {
        self.path = path
        saved = try ImageError.attempt("can't open \(ShellWord(path))") { () throws(Errno) in
            let file = try System.open(path, .path)
            return try System.status(of: file.raw).modificationTime
        }
        let text = try readMetadataFile(path)
        for (index, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
        where !line.isEmpty {
            guard let (identity, parsed) = Self.parse(line) else {
                throw ImageError(.badArchive, "line \(index + 1) of \(ShellWord(path)) is not one that fakeroot writes")
            }
            lines[identity] = parsed
        }
        let device = try ImageError.attempt("can't look at the directory") { () throws(Errno) in
            try System.status(of: root).device
        }
        guard lines.isEmpty || lines.keys.contains(where: { $0.device == device }) else { throw otherTree() }
    }

    private static func parse(_ line: ArraySlice<UInt8>) -> (Identity, Line)? {
        var scanner = ByteScanner(line)
        guard scanner.take("dev="), let device = scanner.takeNumber(UInt64.self, radix: 16),
            scanner.take(",ino="), let inode = scanner.takeNumber(UInt64.self),
            scanner.take(",mode="), let mode = scanner.takeNumber(UInt32.self, radix: 8),
            scanner.take(",uid="), let uid = scanner.takeNumber(UInt32.self),
            scanner.take(",gid="), let gid = scanner.takeNumber(UInt32.self),
            scanner.take(",nlink="), scanner.takeNumber(UInt64.self) != nil,
            scanner.take(",rdev="), let rawDevice = scanner.takeNumber(UInt64.self), scanner.isAtEnd
        else { return nil }
        return (
            Identity(device: device, inode: inode),
            Line(owner: Owner(uid: uid, gid: gid), mode: mode, device: rawDevice)
        )
    }

    private func otherTree() -> ImageError {
        ImageError(
            .badArchive,
            "\(ShellWord(path)) was saved for another directory: fakeroot knows files by inode number only, and none is here",
            hint: "A copied directory has other inode numbers; give the one that fakeroot has seen."
        )
    }

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        let identity = Identity(device: file.status.device, inode: file.status.inode)
        var metadata = FileMetadata(of: file)
        metadata.owner = Owner(uid: 0, gid: 0)
        metadata.attributes = try HostAttributes(of: file).own
        guard let line = lines[identity] else { return metadata }
        if isYounger(file) {
            younger += 1
            return metadata
        }
        guard let said = FileMetadata(owner: line.owner, mode: line.mode, rawDevice: line.device) else {
            throw ImageError(.badArchive, "\(ShellWord(path)) gives \(file.description) a mode that Linux doesn't have")
        }
        let isPlaceholder = said.kind.isSpecial && file.kind == .file && file.status.size == 0
        guard said.kind.format == file.status.format || isPlaceholder else {
            throw ImageError(
                .badArchive,
                "\(ShellWord(path)) does not fit the directory: what it says of inode \(identity.inode) is of another type than "
                    + "\(file.description), which has that number now",
                hint: "The file was made after fakeroot ran. Run the build again, or import without fakeroot's file."
            )
        }
        used.insert(identity)
        metadata.owner = said.owner
        metadata.permissions = said.permissions
        metadata.kind = said.kind
        return metadata
    }

    func knows(_ file: HostFile) throws(ImageError) -> Bool {
        lines[Identity(device: file.status.device, inode: file.status.inode)] != nil && !isYounger(file)
    }

    private func isYounger(_ file: HostFile) -> Bool {
        let birth = file.status.birthTime
        return (birth.seconds, birth.nanoseconds) > (saved.seconds, saved.nanoseconds)
    }

    func finish() throws(ImageError) -> [String] {
        guard lines.isEmpty || !used.isEmpty else { throw otherTree() }
        var notices: [String] = []
        if younger > 0 {
            notices.append(
                "\(younger) files are younger than \(ShellWord(path)), which names their inode numbers: they are root's now"
            )
        }
        if lines.count > used.count + younger {
            notices.append(
                "\(lines.count - used.count - younger) lines of \(ShellWord(path)) have no file in the directory"
            )
        }
        return notices
    }
}
