package import ImageEntries
internal import LinuxFiles

/// The files of a squashfs image, through `sqfs2tar` (squashfs-tools-ng), which needs no root to keep owners, device
/// nodes and capabilities.
package final class SquashfsSource: EntrySource {
    private static let program = "sqfs2tar"

    private let image: String
    private let child: ChildProcess
    private let reader: TarSource
    /// From the superblock: inodes; hard links are entries more.
    package let entriesTotal: Int?

    package init(_ input: FileInput, _ cancellation: Cancellation) throws(ImageError) {
        image = input.name
        let superblock = try input.peek()
        entriesTotal = superblock.count >= 8 ? Int(superblock.loadUnaligned(fromByteOffset: 4, as: UInt32.self)) : nil
        let file = try input.duplicate()
        let output: OwnedDescriptor
        do throws(Errno) {
            // Opened by the child once more, wherever it lies and even if it has no name. ".": with the root's own
            // owner and mode.
            let arguments = ["--root-becomes", ".", "/dev/stdin"]
            child = try ChildProcess(Self.program, arguments, input: .descriptor(file.raw), output: .pipe)
            output = try child.takeOutput()
        } catch .ENOENT {
            throw ImageError(
                .notFound,
                "\(Self.program) is needed to read the squashfs image \(input.name), and is not installed",
                hint: "Install it:\n    sudo apt-get install squashfs-tools-ng"
            )
        } catch {
            throw ImageError("can't run \(Self.program)", error)
        }
        let pipe = try FileInput(output, name: input.name, cancellation)
        let stream = try ArchiveStream(pipe, cancellation)
        do throws(ImageError) {
            reader = try TarSource(stream, pipe, dialect: .plain)
        } catch {
            stream.abandon()
            throw Self.explain(error, child, input.name)
        }
    }

    /// What to say of an attribute of the current entry whose name may be another one.
    private var unclearName: String?

    /// XATTR_NAME_MAX, in bytes: what is longer is not a name.
    private static let maxNameLength = 255

    /// The program writes "NAME=VALUE" and a "=" in a name as it is: nobody sees where the name ends.
    private static func doubt(_ attribute: ImageEntry.Attribute) -> String? {
        guard let end = attribute.value.firstIndex(of: UInt8(ascii: "=")),
            attribute.name.count + 1 + end <= maxNameLength,
            !attribute.value[..<end].contains(0)
        else { return nil }
        return
            "the name of its attribute \(printable(attribute.name)) may go on up to another \"=\", which \(program) doesn't "
            + "tell apart: compare it with unsquashfs -xattrs"
    }

    deinit {
        child.kill()
    }

    package func next() throws(ImageError) -> ImageEntry? {
        do throws(ImageError) {
            let entry = try reader.next()
            unclearName = entry?.attributes.lazy.compactMap { Self.doubt($0) }.first
            return entry
        } catch {
            throw Self.explain(error, child, image)
        }
    }

    package func forEachBlock(_ body: (UnsafeRawBufferPointer, Int64) throws(ImageError) -> Void) throws(ImageError) {
        do throws(ImageError) {
            try reader.forEachBlock(body)
        } catch {
            throw Self.explain(error, child, image)
        }
    }

    package var notice: String? { reader.notice ?? unclearName }

    package func finish() throws(ImageError) {
        do throws(ImageError) {
            try reader.finish()
        } catch {
            throw Self.explain(error, child, image)
        }
        let ending = try ImageError.attempt("can't wait for \(Self.program)") { () throws(Errno) in try child.wait() }
        guard ending.isSuccess else { throw Self.failure(child, ending, image) }
    }

    /// What the program said of files that a tar archive can't hold: sockets.
    package var closingNotices: [String] {
        reader.closingNotices
            + child.errorText.split(separator: UInt8(ascii: "\n")).map { "\(Self.program): \(printable($0))" }
    }

    package var bytesRead: UInt64 { reader.bytesRead }
    package var bytesTotal: UInt64? { nil }

    /// A stream that ends too early is the program's failure, and it has said why.
    private static func explain(_ error: ImageError, _ child: ChildProcess, _ image: String) -> ImageError {
        guard error.code == .badArchive, let ending = try? child.wait(seconds: 1), !ending.isSuccess else {
            return error
        }
        return failure(child, ending, image)
    }

    private static func failure(_ child: ChildProcess, _ ending: ChildProcess.Ending, _ image: String) -> ImageError {
        let said = child.errorText.split(separator: UInt8(ascii: "\n")).last.map { ": \(printable($0))" } ?? ""
        return ImageError(
            .badArchive,
            "\(program) could not read the squashfs image \(image); it \(ending)\(said)",
            hint: "Download or copy the image again, and compare its checksum with the one where it came from."
        )
    }
}
