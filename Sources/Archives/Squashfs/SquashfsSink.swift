internal import FakeRoot
package import ImageEntries
internal import LinuxFiles

/// Makes a squashfs image with `tar2sqfs` of squashfs-tools-ng, which keeps owners, devices, hard links and attributes
/// as an ordinary user, and gives the same bytes for the same input.
///
/// The format has no access control lists, no fractions of seconds, and 32 bits for times.
package final class SquashfsSink: EntrySink {
    private let program: ChildProcess
    private let file: CInt
    private var input: OwnedDescriptor?
    private let tar: TarSink
    private let wait: ExportWait
    private var ownLosses = ExportLosses()

    private static let programName = "tar2sqfs"

    /// Starts tar2sqfs, which writes the image.
    /// - Parameters:
    ///   - file: open for reading and writing; gets the image.
    ///   - compression: gzip, xz or zstd.
    ///   - time: of making, in seconds since 1970.
    /// - Throws: `badDestination` for another compression, `notFound` if tar2sqfs is not installed, `system` if it
    ///   can't be started.
    package init(
        _ file: CInt,
        _ compression: Compression,
        level: Int?,
        time: Int64,
        _ wait: ExportWait
    ) throws(ImageError) {
        self.file = file
        self.wait = wait
        guard [.gzip, .xz, .zstd].contains(compression) else {
            throw ImageError(
                .badDestination,
                "a squashfs image can't be compressed with \(compression.rawValue)",
                hint: "Choose gzip, xz or zstd."
            )
        }
        var arguments = ["--force", "--quiet", "--no-skip", "--compressor", compression.rawValue]
        arguments += ["--num-jobs", String(System.processorCount)]
        arguments += ["--defaults", "mtime=\(UInt32(clamping: time))"]
        if let level { arguments += ["--comp-extra", "level=\(level)"] }
        // Its standard output is our file: it needs no name for it.
        arguments.append("/proc/self/fd/1")
        do throws(Errno) {
            // If the program ends, writing to it must be an error instead of the end of this process.
            System.ignoreBrokenPipes()
            let program = try ChildProcess(
                Self.programName,
                arguments,
                input: .pipe,
                output: .descriptor(file),
                environment: ["SOURCE_DATE_EPOCH": String(UInt32(clamping: time))]
            )
            self.program = program
            let pipe = try program.takeInput()
            tar = TarSink(DescriptorOutput(pipe.raw, name: Self.programName, wait), attributes: .libarchive)
            input = .some(pipe)
        } catch .ENOENT {
            throw ImageError(
                .notFound,
                "squashfs images need \(Self.programName), which is not there",
                hint: "Install it:\n    sudo apt-get install squashfs-tools-ng",
                cause: .ENOENT
            )
        } catch {
            throw ImageError("can't start \(Self.programName)", error)
        }
    }

    package var losses: ExportLosses {
        var sum = tar.losses
        sum.accessControlLists += ownLosses.accessControlLists
        sum.attributes += ownLosses.attributes
        sum.times += ownLosses.times
        sum.example = sum.example ?? ownLosses.example
        return sum
    }

    package func add(_ entry: ImageEntry, content: FileReader?) throws(ImageError) {
        var entry = entry
        entry.attributes = entry.attributes.filter { attribute in
            let isList = [AccessControlList.accessName, AccessControlList.defaultName].contains(attribute.name)
            if isList { ownLosses.note(\.accessControlLists, entry) }
            return !isList
        }
        if let time = entry.modificationTime {
            if UInt32(exactly: time.seconds) == nil { ownLosses.note(\.times, entry) }
            entry.modificationTime = FileTime(seconds: Int64(UInt32(clamping: time.seconds)), nanoseconds: 0)
        }
        do throws(ImageError) {
            try tar.add(entry, content: content)
        } catch {
            throw explained(error)
        }
    }

    package func finish() throws(ImageError) {
        do throws(ImageError) {
            try tar.finish()
        } catch {
            throw explained(error)
        }
        input = nil
        wait.phase = .finishing
        guard try ending().isSuccess else { throw failure() }
    }

    /// How the program has ended; waits for it. If the export is cancelled the program ends as soon as its owner goes away.
    private func ending() throws(ImageError) -> ChildProcess.Ending {
        while true {
            let ending = try ImageError.attempt("can't wait for \(Self.programName)") { () throws(Errno) in
                try program.wait(seconds: ExportWait.interval)
            }
            if let ending { return ending }
            try wait.look()
        }
    }

    /// When the program has ended before us, it says why.
    private func explained(_ error: ImageError) -> ImageError {
        guard error.cause == .EPIPE else { return error }
        _ = try? program.wait()
        return failure()
    }

    private func failure() -> ImageError {
        let text = program.errorText.split(separator: UInt8(ascii: "\n")).map(printable).joined(separator: "; ")
        if let cause = spaceProblem(text) { return ImageError("can't write the squashfs image", cause) }
        return ImageError(.system, "\(Self.programName) failed: \(text.isEmpty ? "it didn't say why" : text)")
    }

    /// The program calls a full disk an "I/O error"; some more bytes at the end of what is discarded anyway tell.
    private func spaceProblem(_ text: String) -> Errno? {
        if text.contains("No space left") { return .ENOSPC }
        let bytes = [UInt8](repeating: 0, count: 1 << 18)
        do throws(Errno) {
            let end = Int64(clamping: try System.status(of: file).size)
            let count = try System.write(file, bytes.span.bytes, at: end)
            // A part fitted; what doesn't is refused only now.
            guard count < bytes.count else { return nil }
            _ = try System.write(file, bytes.span.bytes, at: end + Int64(count))
            return nil
        } catch {
            return [.ENOSPC, .EDQUOT].contains(error) ? error : nil
        }
    }
}
