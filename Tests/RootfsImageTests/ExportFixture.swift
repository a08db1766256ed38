import FakeRoot
import Glibc
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// A tree that was imported, and what is exported of it.
struct ExportFixture {
    let imported: ImportFixture
    var host: TemporaryDirectory { imported.host }

    /// Imports an archive to "root".
    /// - Parameter entries: as of `ImportFixture.archive`.
    init(_ entries: String = "add('./', D, mtime=1)", format: String = "PAX") throws {
        imported = try ImportFixture()
        try imported.importing(try imported.archive(entries, format: format))
    }

    /// Every kind of entry that tar knows.
    static let everything = #"""
        cap = bytes.fromhex('0100000200200000000000000000000000000000').decode('latin-1')
        add('./', D, mode=0o750, mtime=1000)
        add('./bin', D, mtime=2000)
        add('./bin/ping', mode=0o755, data=b'ping', mtime=3000, pax={'SCHILY.xattr.security.capability': cap,
            'SCHILY.xattr.user.mine': 'x', 'SCHILY.xattr.trusted.t': 'x\n=%y', 'SCHILY.xattr.user.a%b': ''})
        add('./bin/su', mode=0o4755, data=b'su' * 5000, mtime=3000.25)
        add('./bin/sudo', H, linkname='./bin/su', mode=0o4755, mtime=3000.25)
        add('./dev', D, mode=0o1777, pax={'SCHILY.xattr.user.on.directory': 'y'})
        add('./dev/null', C, devmajor=1, devminor=3, mode=0o666)
        add('./dev/pipe', P, mode=0o600)
        add('./dev/pipe2', H, linkname='./dev/pipe', mode=0o600)
        add('./dev/sda1', B, devmajor=259, devminor=65537, mode=0o660, gid=6, mtime=5000)
        add('./ids', uid=4294967294, gid=2097152, mtime=12.000000001)
        add('./' + 'd' * 200, D)
        add('./' + 'd' * 200 + '/' + 'f' * 200, data=b'long')
        add('./' + 'd' * 200 + '/hl', H, linkname='./' + 'd' * 200 + '/' + 'f' * 200)
        add('./\u00e9', data=b'nfc')
        add('./bad-\udcff\udc80', data=b'bad'); add('./new\nline'); add('./-rf')
        add('./secret'); add('./shadow', mode=0o640, gid=42); add('./none', mode=0)
        add('./sl', S, linkname='x' * 300, mtime=77, mode=0o777)
        add('./su', S, linkname='bin/\u00e9', mode=0o777)
        """#

    /// Names that bsdtar can't tell apart.
    static let normalizable = #"add('./e\u0301', data=b'nfd'); add('./\u00e9', data=b'nfc')"#

    var original: String { host.file("a.tar") }

    @discardableResult
    func exporting(
        _ target: String,
        from root: String = "root",
        _ change: (inout Exporter.Options) -> Void = { _ in }
    ) throws(ImageError) -> ExportSummary {
        var options = Exporter.Options()
        options.platform = "linux/arm64"
        change(&options)
        return try Exporter(directory: host.file(root), target: host.file(target), options: options).run()
    }

    /// The names beside the tree, without its metadata database's, which SQLite gives companions as it likes.
    func names() throws(Errno) -> [String] { try host.names().filter { !$0.hasPrefix(".root.usb9pfs.db") } }

    /// Exports what must not be exported.
    /// - Returns: the error; and expects that nothing is left.
    func refusal(
        _ target: String,
        _ location: SourceLocation = #_sourceLocation,
        _ change: (inout Exporter.Options) -> Void = { _ in }
    ) throws -> ImageError {
        let before = try names()
        var failure: ImageError?
        do throws(ImageError) {
            try exporting(target, change)
        } catch {
            failure = error
        }
        #expect(try names() == before, "something was left behind", sourceLocation: location)
        return try #require(failure, "it was exported", sourceLocation: location)
    }

    /// What bsdtar says of an archive's entries, all it knows, sorted; without the numbers that it gives them itself.
    func listing(_ archive: String) throws -> [String] {
        // In the C locale it stops at a name that it can't convert.
        let script = "LC_ALL=C.UTF-8 bsdtar -cf - --format=mtree --options=mtree:all \"@$1\" 2>/dev/null"
        let result = try run("sh", "-c", script, "sh", archive)
        return result.output.split(separator: "\n").map { line in
            line.split(separator: " ")
                .filter { word in !["inode=", "uname=", "gname="].contains { word.hasPrefix($0) } }
                .joined(separator: " ")
        }
        .sorted()
    }

    /// The attributes and access control lists of an archive's entries, as Python's tarfile reads them.
    func attributes(_ archive: String) throws -> String {
        try host.write(
            "list.py",
            """
            import sys, tarfile
            for i in sorted(tarfile.open(sys.argv[1], errors='surrogateescape'), key=lambda i: i.name):
                found = sorted((k, v) for k, v in i.pax_headers.items() if k.startswith('SCHILY'))
                if found: print(ascii(i.name), ascii(found))
            """
        )
        defer { host.remove("list.py") }
        let result = try run("python3", host.file("list.py"), archive)
        try #require(result.status == 0, "\(result.output)")
        return result.output
    }

    /// Runs a shell script in the fixture's directory, and expects that it succeeds.
    @discardableResult
    func shell(_ script: String, _ location: SourceLocation = #_sourceLocation) throws -> String {
        let result = try run("bash", "-c", "set -euo pipefail; cd \"$1\"; \(script)", "bash", host.path)
        #expect(result.status == 0, "\(result.output)", sourceLocation: location)
        return result.output
    }

    func withTree<Result>(_ body: (FakeRootTree) throws -> Result) throws -> Result {
        try body(FakeRootTree(directory: host.file("root")))
    }

    /// `p9serve` of the build that the tests are of.
    static var program: String {
        get throws {
            var path = [UInt8](repeating: 0, count: 4096)
            let count = path.withUnsafeMutableBytes { bytes in
                bytes.baseAddress.map {
                    readlink("/proc/self/exe", $0.assumingMemoryBound(to: CChar.self), bytes.count)
                }
            }
            let text = String(decoding: path.prefix(max(count ?? 0, 0)), as: UTF8.self)
            let program = text.split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/p9serve"
            if access(program, X_OK) == 0 { return program }
            // `swift test` runs another program, with the tests as a library.
            let built = "\(Fixture.package)/.build/debug/p9serve"
            try #require(access(built, X_OK) == 0, "there is no p9serve")
            return built
        }
    }
}
