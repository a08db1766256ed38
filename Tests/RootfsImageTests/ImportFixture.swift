import FakeRoot
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// A directory with archives and what is imported from them.
struct ImportFixture {
    let host: TemporaryDirectory

    init() throws {
        host = try TemporaryDirectory()
    }

    /// Makes an archive with Python's tarfile.
    /// - Parameter body: statements that use `add(name, **fields)`: `type`, `mode`, `uid`, `gid`, `linkname`, `data`,
    ///   `mtime`, `devmajor`, `devminor`, `pax`.
    /// - Returns: its path.
    func archive(_ body: String, format: String = "PAX", name: String = "a.tar") throws -> String {
        try host.write(
            "make.py",
            """
            import io, sys, tarfile
            t = tarfile.open(sys.argv[1], 'w', format=tarfile.\(format)_FORMAT)
            D, F, S, H = tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
            C, B, P = tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE
            def add(name, type=F, data=b'', mode=None, pax={}, **fields):
                i = tarfile.TarInfo(name)
                i.type, i.mode, i.size, i.pax_headers = type, mode, len(data), pax
                if mode is None: i.mode = 0o755 if type == D else 0o644
                for key, value in fields.items(): setattr(i, key, value)
                t.addfile(i, io.BytesIO(data))
            \(body)
            t.close()
            """
        )
        let result = try run("python3", host.file("make.py"), host.file(name))
        try #require(result.status == 0, "\(result.output)")
        return host.file(name)
    }

    @discardableResult
    func importing(
        _ archive: String,
        to name: String = "root",
        _ options: ImportOptions = ImportOptions()
    ) throws(ImageError) -> ImportSummary {
        // Nobody pulls the plug, and all that others have written would have to be on the disk for each of them.
        var options = options
        options.isSynchronized = false
        return try Importer(source: archive, destination: host.file(name), options: options).run()
    }

    /// What the manifest says, by path.
    func manifest(_ root: String = "root") throws -> [String: ManifestEntry] {
        let tree = try FakeRootTree(directory: host.file(root), mayRaiseModes: false)
        var entries: [String: ManifestEntry] = [:]
        try tree.forEachManifestEntry { (entry, _) throws(Errno) in
            entries[String(decoding: entry.path, as: UTF8.self)] = entry
        }
        return entries
    }

    /// Runs a shell script in the fixture's directory; `$1` and so on are the arguments.
    func shell(_ script: String, _ arguments: String...) throws {
        let all = ["sh", "-c", "set -e; cd \"$0\"; " + script, host.path] + arguments
        let result = try RunningProgram(all).wait()
        try #require(result.status == 0, "\(result.output)")
    }

    /// What the board sees of a path in the imported tree.
    func status(_ path: String, in root: String = "root") throws(Errno) -> BoardStatus {
        let tree = try FakeRootTree(directory: host.file(root))
        let file = try System.open(host.file("\(root)/\(path)"), [.path, .noFollow])
        return try tree.status(of: file.raw)
    }

    func attribute(_ attribute: String, of path: String, in root: String = "root") throws(Errno) -> [UInt8] {
        let tree = try FakeRootTree(directory: host.file(root))
        let file = try System.open(host.file("\(root)/\(path)"), [.path, .noFollow])
        let name = Array(attribute.utf8)
        return try tree.attribute(name.span.bytes, of: file.raw)
    }

    /// Imports what must not be imported.
    /// - Returns: the error; and expects that nothing is left.
    func refusal(
        _ archive: String,
        to name: String = "root",
        _ options: ImportOptions = ImportOptions(),
        _ location: SourceLocation = #_sourceLocation
    ) throws -> ImageError {
        let before = try host.names()
        var failure: ImageError?
        do throws(ImageError) {
            try importing(archive, to: name, options)
        } catch {
            failure = error
        }
        #expect(try host.names() == before, "something was left behind", sourceLocation: location)
        return try #require(failure, "the archive was imported", sourceLocation: location)
    }
}
