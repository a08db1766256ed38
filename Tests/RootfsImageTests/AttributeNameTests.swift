import FakeRoot
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// Names of extended attributes with "%" and "=", which tar programs write in different ways.
@Suite struct AttributeNameTests {
    private static let names = ["user.a=b", "user.100%", "user.a%25b", "user.a%3Db", "user.%%253D=", "user.plain"]

    private func tree(_ fixture: ImportFixture) throws {
        let body = Self.names.map { name in
            let encoded = name.replacing("%", with: "%25").replacing("=", with: "%3D")
            return "'SCHILY.xattr.\(encoded)': 'v=1'"
        }
        try fixture.importing(fixture.archive("add('f', pax={\(body.joined(separator: ", "))})"))
        try check(fixture, "root")
    }

    private func check(_ fixture: ImportFixture, _ root: String, _ names: [String] = names) throws {
        let tree = try FakeRootTree(directory: fixture.host.file(root))
        let file = try System.open(fixture.host.file("\(root)/f"), [.path, .noFollow])
        let found = try tree.attributeNames(of: file.raw).split(separator: 0).map {
            String(decoding: $0, as: UTF8.self)
        }
        #expect(found.sorted() == names.sorted(), "\(root)")
        for name in names { #expect(try fixture.attribute(name, of: "f", in: root) == Array("v=1".utf8), "\(name)") }
    }

    private func export(_ fixture: ImportFixture, to target: String) throws -> ExportSummary {
        try Exporter(directory: fixture.host.file("root"), target: fixture.host.file(target)).run()
    }

    /// An archive of GNU tar's became one with "%25" in the names on each round trip.
    @Test func roundTripThroughTar() throws {
        let fixture = try ImportFixture()
        try tree(fixture)
        _ = try export(fixture, to: "out.tar")
        let summary = try fixture.importing(fixture.host.file("out.tar"), to: "again")
        try check(fixture, "again")
        #expect(summary.notices.contains { $0.contains("decoded as GNU tar does") }, "\(summary.notices)")
    }

    /// It encodes the names in both of its forms.
    @Test(.enabled(if: isInstalled("bsdtar") && isInstalled("setfattr"))) func bsdtarsNamesAreNotDoubled() throws {
        let fixture = try ImportFixture()
        let names = Self.names + ["user.a b", "user.\u{e9}"]
        for name in names { try fixture.shell("touch f; setfattr -n \"$1\" -v v=1 f", name) }
        try fixture.shell("bsdtar --format=pax --xattrs -cf b.tar f")
        try fixture.importing(fixture.host.file("b.tar"))
        try check(fixture, "root", names)
    }

    /// What Go writes is what it reads; a record's key has no "=" there.
    @Test func layersKeepNamesAsTheyAre() throws {
        let fixture = try ImportFixture()
        try tree(fixture)
        try fixture.shell(
            "mkdir root/bin; printf '\\177ELF\\2\\1\\1' > root/bin/sh; head -c 60 /dev/zero >> root/bin/sh"
        )
        var options = Exporter.Options()
        options.platform = "linux/arm64"
        let exporter = Exporter(
            directory: fixture.host.file("root"),
            target: fixture.host.file("o.oci"),
            options: options
        )
        #expect(try exporter.run().losses.attributes == 2)
        try fixture.importing(fixture.host.file("o.oci"), to: "again")
        try check(fixture, "again", Self.names.filter { !$0.contains("=") })
    }

    /// The image's names were those of the tar stream, encoded.
    @Test(.enabled(if: isInstalled("tar2sqfs") && isInstalled("unsquashfs"))) func squashfsHasTheRightNames() throws {
        let fixture = try ImportFixture()
        try tree(fixture)
        #expect(try export(fixture, to: "i.squashfs").losses.isEmpty)
        try fixture.shell(
            "unsquashfs -q -n -user-xattrs -d root2 i.squashfs > out 2>&1 || true; getfattr -h root2/f > names"
        )
        let listed = String(decoding: try fixture.host.read("names"), as: UTF8.self).split(separator: "\n").dropFirst()
        #expect(listed.map { String($0) }.sorted() == Self.names.map { $0.replacing("=", with: "\\075") }.sorted())
    }

    /// bsdtar writes each attribute twice; in one of the records nobody sees where the name ends.
    @Test func bothFormsOfBsdtar() throws {
        let fixture = try ImportFixture()
        let records =
            "{'LIBARCHIVE.xattr.user.a%3Db': 'dj0x', 'SCHILY.xattr.user.a=b': 'v=1', 'LIBARCHIVE.xattr.user.a%2525b': "
            + "'dj0x', 'SCHILY.xattr.user.a%25b': 'v=1'}"
        try fixture.importing(fixture.archive("add('f', pax=\(records))"))
        try check(fixture, "root", ["user.a=b", "user.a%25b"])
    }

    @Test func selinuxLabel() throws {
        let fixture = try ImportFixture()
        try fixture.importing(fixture.archive("add('f', pax={'RHT.security.selinux': 'system_u:object_r:bin_t:s0'})"))
        #expect(try fixture.attribute("security.selinux", of: "f") == Array("system_u:object_r:bin_t:s0\0".utf8))
    }

    /// sqfs2tar doesn't tell where a name ends, for any name of any class.
    @Test(
        .enabled(if: isInstalled("tar2sqfs") && isInstalled("sqfs2tar")),
        arguments: ["user.a=b c", "user.a= ", "security.a=b", "trusted.a=\u{1}"]
    )
    func squashfsTellsOfUnclearNames(_ name: String) throws {
        let fixture = try ImportFixture()
        let encoded = name.replacing("=", with: "%3D")
        let archive = try fixture.archive("add('f', pax={'LIBARCHIVE.xattr.\(encoded)': 'dj0x'})")
        try fixture.shell("tar2sqfs -q -f i.squashfs < \"$1\"", archive)
        let summary = try fixture.importing(fixture.host.file("i.squashfs"))
        #expect(summary.notices.contains { $0.contains("f: the name of its attribute") }, "\(summary.notices)")
    }
}
