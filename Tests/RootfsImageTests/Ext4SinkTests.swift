import FakeRoot
import ImageEntries
import ImageTestSupport
import LinuxFiles
import TestSupport
import Testing

@testable import RootfsImage

/// Making ext4 images, looked at by e2fsck, debugfs, our own reader and, for root, the running kernel.
@Suite(.enabled(if: isInstalled("e2fsck") && isInstalled("debugfs"))) struct Ext4SinkTests {
    /// A tree with everything, imported from a tar archive.
    private func tree(_ fixture: Ext4Fixture, _ name: String = "tree", more: String = "") throws {
        let archive = fixture.host.file("\(name).tar")
        try fixture.host.write(
            "make.py",
            """
            import io, sys, tarfile
            t = tarfile.open(sys.argv[1], 'w', format=tarfile.PAX_FORMAT)
            D, F, S, H = tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
            C, B, P = tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE
            def add(name, type=F, data=b'', mode=None, pax={}, **fields):
                i = tarfile.TarInfo(name)
                i.type, i.mode, i.size, i.pax_headers = type, mode, len(data), pax
                if mode is None: i.mode = 0o755 if type == D else 0o644
                for key, value in fields.items(): setattr(i, key, value)
                t.addfile(i, io.BytesIO(data))
            cap = bytes.fromhex('0100000200200000000000000000000000000000').decode('latin-1')
            add('./', D, mode=0o751, uid=3, gid=4, mtime=1000, pax={'SCHILY.xattr.trusted.r': 'root'})
            add('bin', D, mtime=2000.25)
            add('bin/su', mode=0o4755, data=b'su' * 3000, mtime=4102444800.5)
            add('bin/sudo', H, linkname='bin/su'); add('sudo', H, linkname='bin/su')
            add('bin/ping', data=b'ping', pax={'SCHILY.xattr.security.capability': cap, 'SCHILY.xattr.user.mine': 'x'})
            add('dev', D); add('dev/null', C, devmajor=1, devminor=3, mode=0o666)
            add('dev/big', B, devmajor=4095, devminor=1048575, mode=0o660, gid=6)
            add('dev/white', C, devmajor=0, devminor=0); add('dev/pipe', P, mode=0o600)
            add('home', D, mode=0o2775, uid=1000, gid=100000, pax={'SCHILY.acl.default': 'user::rwx,user:7:r-x,group::r-x,mask::r-x,other::---'})
            add('home/list', pax={'SCHILY.acl.access': 'user::rw-,user:70000:r--,group::r--,mask::r--,other::---'})
            add('link', S, linkname='bin/su', mtime=4000); add('long', S, linkname='/'.join(['part'] * 100))
            add('edge59', S, linkname='e' * 59); add('edge60', S, linkname='e' * 60)
            add('empty', D, mode=0o1777); add('zero'); add('zeros', data=bytes(20000))
            add('old', mtime=-1.5); add('future', mtime=20000000000)
            add('many', D)
            for i in range(900): add(f'many/a-name-that-takes-some-room-{i}', data=b'%d' % i)
            add('large', data=bytes(i * 7 % 251 for i in range(3000000)))
            \(more)
            t.close()
            """
        )
        try fixture.shell("python3 make.py \(name).tar")
        _ = try Importer(source: archive, destination: fixture.host.file(name)).run()
    }

    private func export(
        _ fixture: Ext4Fixture,
        _ tree: String = "tree",
        to image: String = "image.ext4",
        _ change: (inout Exporter.Options) -> Void = { _ in }
    ) throws {
        var options = Exporter.Options()
        change(&options)
        let exporter = Exporter(directory: fixture.host.file(tree), target: fixture.host.file(image), options: options)
        _ = try exporter.run()
    }

    /// What the tree has, by a walk over it.
    private func listing(_ fixture: Ext4Fixture, _ tree: String = "tree") throws -> [String: ImageEntry] {
        let sink = Listing()
        let tree = try FakeRootTree(directory: fixture.host.file(tree), mayRaiseModes: false)
        let walk = TreeWalk(tree, cancellation: Cancellation())
        try walk.survey()
        try walk.run(into: sink)
        return sink.entries
    }

    private final class Listing: EntrySink {
        var entries: [String: ImageEntry] = [:]

        func add(_ entry: ImageEntry, content: FileReader?) throws(ImageError) {
            var entry = entry
            if entry.path.isEmpty { entry.path = Array("./".utf8) }
            entries[String(decoding: entry.path, as: UTF8.self)] = entry
        }

        func finish() throws(ImageError) {}
    }

    /// In an order that has no meaning.
    private func sorted(_ entry: ImageEntry?) -> ImageEntry? {
        guard var entry else { return nil }
        // The image knows of names that may be elsewhere.
        entry.linkCount = 1
        entry.attributes.sort { $0.name.lexicographicallyPrecedes($1.name) }
        if case .hardLink = entry.body { return ImageEntry(path: entry.path, body: entry.body, permissions: 0) }
        return entry
    }

    @Test func everyKindOfFileComesBack() throws {
        let fixture = try Ext4Fixture()
        try tree(fixture)
        try export(fixture)
        try fixture.shell("e2fsck -fn image.ext4")
        let list = try EntryList(fixture.source("image.ext4"))
        let (paths, files) = (list.paths, list.files)
        let expected = try listing(fixture)
        #expect(paths.count == expected.count && expected.count > 920)
        for (path, entry) in expected {
            #expect(sorted(files[path]?.entry) == sorted(entry), "\(path)")
        }
        for path in ["bin/su", "large", "zeros", "many/a-name-that-takes-some-room-899"] {
            #expect(try files[path]?.content == fixture.host.read("tree/\(path)"), "\(path)")
        }
        #expect(files["zeros"]?.delivered == 20_000)
        #expect(expected["home/list"]?.attributes.count == 1 && expected["home"]?.attributes.count == 1)
        #expect(expected["bin/ping"]?.attributes.count == 2)
        #expect(try fixture.shell("debugfs -R 'stat bin/su' image.ext4").contains("Links: 3"))
        #expect(try fixture.shell("debugfs -R 'stat many' image.ext4").contains("Links: 2"))
        #expect(try fixture.shell("debugfs -R 'stat <11>' image.ext4").contains("Size: 16384"))
    }

    @Test func sameTreeSameBytes() throws {
        let fixture = try Ext4Fixture()
        try tree(fixture, "one")
        try tree(fixture, "two")
        try export(fixture, "one", to: "1.ext4")
        try fixture.shell("sleep 1.1; touch -ah two/*")
        try export(fixture, "two", to: "2.ext4")
        try fixture.shell("cmp 1.ext4 2.ext4")
        try export(fixture, "one", to: "3.ext4") { $0.sourceDateEpoch = 1_700_000_000 }
        let header = try fixture.shell("e2fsck -fn 3.ext4 >/dev/null; TZ=UTC dumpe2fs -h 3.ext4 2>&1")
        #expect(header.contains("Tue Nov 14 22:13:20 2023"))
    }

    @Test func labelUUIDAndSize() throws {
        let fixture = try Ext4Fixture()
        try tree(fixture)
        try export(fixture) {
            $0.volumeLabel = "sixteen-bytes-ok"
            $0.volumeUUID = [UInt8](0..<16)
            $0.imageSize = 300 << 20
        }
        #expect(try fixture.host.status("image.ext4").size == 300 << 20)
        let header = try fixture.shell("e2fsck -fn image.ext4 >/dev/null; dumpe2fs -h image.ext4 2>&1")
        #expect(header.contains("sixteen-bytes-ok") && header.contains("00010203-0405-0607-0809-0a0b0c0d0e0f"))
        #expect(header.contains("Reserved GDT blocks:") && header.contains("has_journal"))
        #expect(throws: ImageError.self) { try export(fixture, to: "b.ext4") { $0.volumeLabel = "seventeen-bytes-x" } }
    }

    @Test func tooSmallSaysHowMuchIsNeeded() throws {
        let fixture = try Ext4Fixture()
        try tree(fixture)
        for size: UInt64 in [1, 1 << 20, 3 << 20, 5 << 20] {
            do throws(ImageError) {
                var options = Exporter.Options()
                options.imageSize = size
                let target = fixture.host.file("image.ext4")
                _ = try Exporter(directory: fixture.host.file("tree"), target: target, options: options).run()
                Issue.record("\(size) bytes were enough")
            } catch {
                #expect(error.code == .noSpace && error.hint?.contains("--size") == true, "\(error)")
            }
        }
        let hint = try #require(try? message(fixture))
        // What it says is enough, and not much too much.
        let mebibytes = try #require(hint.split(separator: " ").compactMap { UInt64($0) }.first)
        try export(fixture) { $0.imageSize = mebibytes << 20 }
        try fixture.shell("e2fsck -fn image.ext4")
        #expect(mebibytes < 24)
        #expect(try fixture.host.names().contains { $0.contains("exporting") } == false)
    }

    private func message(_ fixture: Ext4Fixture) throws -> String? {
        do throws(ImageError) {
            var options = Exporter.Options()
            options.imageSize = 2 << 20
            let target = fixture.host.file("small.ext4")
            _ = try Exporter(directory: fixture.host.file("tree"), target: target, options: options).run()
            return nil
        } catch {
            return error.hint
        }
    }

    @Test func holesStayHolesAndFragmentsStayInPlace() throws {
        let fixture = try Ext4Fixture()
        try tree(fixture)
        try fixture.shell(
            """
            cd tree; truncate -s 5G sparse; printf x | dd of=sparse bs=1 seek=4294967296 conv=notrunc status=none
            for i in $(seq 0 2 1500); do printf $i | dd of=pieces bs=4096 seek=$i conv=notrunc status=none; done
            truncate -s 3M hole
            """
        )
        try export(fixture)
        try fixture.shell("e2fsck -fn image.ext4")
        #expect(try fixture.host.status("image.ext4").size < 96 << 20)
        #expect(try fixture.shell("debugfs -R 'stat sparse' image.ext4").contains("Size: 5368709120"))
        try fixture.shell("debugfs -R 'dump pieces out' image.ext4; cmp out tree/pieces")
        let stat = try fixture.shell("debugfs -R 'stat hole' image.ext4")
        #expect(stat.contains("Size: 3145728") && stat.contains("Blockcount: 0"))
    }

    /// Larger than what has room in a block; only with inodes of their own.
    @Test(.disabled(if: isQuick, "it takes seconds")) func largeAttributes() throws {
        let fixture = try Ext4Fixture()
        try tree(
            fixture,
            more: """
                add('heavy', data=b'x', pax={f'SCHILY.xattr.user.n{i}': chr(65 + i) * 1500 for i in range(2)})
                add('heavier', data=b'x', pax={'SCHILY.xattr.user.big': 'v' * 20000})
                """
        )
        let expected = try listing(fixture)
        try #require(expected["heavier"]?.attributes.first?.value.count == 20_000)
        try export(fixture)
        try fixture.shell("e2fsck -fn image.ext4")
        let files = try fixture.files("image.ext4")
        for path in ["heavy", "heavier", "bin/ping"] {
            #expect(sorted(files[path]?.entry) == sorted(expected[path]), "\(path)")
        }
    }

    @Test(.disabled(if: isQuick, "it takes seconds")) func lostAndFoundOfTheTree() throws {
        let fixture = try Ext4Fixture()
        try tree(fixture, more: "add('lost+found', D, uid=9, mode=0o711); add('lost+found/#1', data=b'found')")
        try export(fixture)
        try fixture.shell("e2fsck -fn image.ext4")
        let files = try fixture.files("image.ext4")
        #expect(files["lost+found"]?.entry.owner.uid == 9)
        #expect(files["lost+found/#1"]?.content == Array("found".utf8))
    }

    /// What counts in the end: the kernel's own view.
    @Test(.enabled(if: System.effectiveUser == 0 && isInstalled("bsdtar"))) func theKernelMountsIt() throws {
        let fixture = try Ext4Fixture()
        try tree(fixture)
        try export(fixture) { $0.imageSize = 64 << 20 }
        try fixture.shell(
            """
            mkdir m; mount -o loop image.ext4 m; trap 'umount m' EXIT
            [ "$(stat -c '%u:%g %a %Y' m)" = '3:4 751 1000' ]
            [ "$(stat -c '%a %h %s %y %i' m/bin/su)" = "$(stat -c '%a %h %s %y %i' m/sudo)" ]
            [ "$(stat -c '%a %h %s' m/bin/su)" = '4755 3 6000' ]
            [ "$(stat -c '%Y' m/bin/su)" = 4102444800 ]
            [ "$(stat -c '%F %t %T %g' m/dev/big)" = 'block special file fff fffff 6' ]
            [ "$(stat -c '%F %t %T' m/dev/null)" = 'character special file 1 3' ]
            [ "$(stat -c '%u:%g %a' m/home)" = '1000:100000 2775' ]
            [ "$(stat -c %Y m/old)" = -2 ] && [ "$(stat -c %Y m/future)" = 15032385535 ]
            getcap m/bin/ping | grep cap_net_raw; getfacl -pn m/home/list | grep user:70000:r--
            getfacl -pn m/home | grep default:user:7:r-x; getfattr -d -m - m | grep trusted.r
            cmp m/large tree/large; [ $(ls m/many | wc -l) = 900 ]; [ -p m/dev/pipe ]
            readlink m/edge59 m/edge60 m/long | diff - <(readlink tree/edge59 tree/edge60 tree/long)
            echo new > m/many/new; cp -a m/many m/copy; rm -r m/many; sync; umount m; trap - EXIT; e2fsck -fn image.ext4
            """,
            mounts: true
        )
    }
}
