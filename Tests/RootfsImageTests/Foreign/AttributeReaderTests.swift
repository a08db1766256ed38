import FakeRoot
import ImageEntries
import LinuxFiles
import TestSupport
import Testing

@testable import RootfsImage

/// Metadata in extended attributes, made by the tools themselves where they run here.
@Suite struct AttributeReaderTests {
    /// A tree of ours is what an ordinary user can give rsync to send from; `user.rsync.%stat` of the source is heeded by
    /// `rsync --fake-super`, which then writes it itself at the other end.
    private static let rsyncSource = """
        mkdir -p src/bin src/dev src/ro; cd src
        echo hi > bin/su; ln bin/su bin/sudo; printf su > bin/lnk; : > dev/null; : > dev/pipe
        echo f > ro/f; echo mine > plain
        label() { setfattr -n user.rsync.%stat -v "$2" "$1"; }
        label . '40755 0,0 0:0'; label bin '40755 0,0 0:0'; label dev '40750 0,0 0:6'
        label bin/su '104755 0,0 10:20'; label bin/lnk '120777 0,0 5:6'
        label dev/null '20666 1,3 0:0'; label dev/pipe '10600 0,0 7:8'
        label ro '40555 0,0 0:0'; label ro/f '100400 0,0 4294967294:1'
        setfattr -n user.foo -v bar bin/su
        setfattr -n user.rsync.security.capability -v \(ForeignFixture.netRawHex) bin/su
        cd ..
        rsync -aHX --fake-super --rsync-path='rsync --fake-super' src/ root/
        """

    @Test(.enabled(if: isInstalled("rsync") && isInstalled("setfattr"))) func rsyncFakeSuper() throws {
        let fixture = try ForeignFixture()
        try fixture.shell(Self.rsyncSource)
        #expect(try MetadataEvidence(fixture.host.file("root")).kind == .rsync)
        let list = try fixture.entries()
        #expect(list["bin/lnk"] == "777 5:6 -> su")
        #expect(list["bin/su"] == "4755 10:20 file" && list["bin/sudo"] == "== bin/su")
        #expect(
            list["dev"] == "750 0:6 dir" && list["dev/null"] == "666 0:0 c 1,3" && list["dev/pipe"] == "600 7:8 pipe"
        )
        #expect(list["ro"] == "555 0:0 dir" && list["ro/f"] == "400 4294967294:1 file")
        #expect(list.attribute("user.foo", of: "bin/su") == Array("bar".utf8))
        #expect(list.attribute("security.capability", of: "bin/su") == ForeignFixture.netRaw)
        #expect(list.attribute("user.rsync.%stat", of: "bin/su") == nil)
    }

    /// Root gives rsync a tree with everything; another uid receives it.
    @Test(.enabled(if: System.effectiveUser == 0 && isInstalled("rsync") && isInstalled("setfacl")))
    func rsyncFromRoot() throws {
        let fixture = try ForeignFixture()
        try fixture.shell(
            """
            mkdir -p src/bin src/dev; cd src
            echo hi > bin/su; chown 10:20 bin/su; chmod 4755 bin/su; ln -s su bin/lnk; chown -h 5:6 bin/lnk
            mknod dev/null c 1 3; mknod dev/sda1 b 8 1; mkfifo dev/pipe
            setfattr -n security.capability -v \(ForeignFixture.netRawHex) bin/su; chmod 4755 bin/su
            setfacl -m u:5:rwx,g:7:r bin/su; setfattr -n trusted.foo -v xx dev
            cd ..
            mkdir root; chown 1000:1000 root; chmod 755 .
            # Other uids need a way to the directory.
            cat > remote.sh <<'X'
            #!/bin/sh
            shift
            exec sh -c "$*"
            X
            chmod 755 remote.sh
            """
        )
        let result = try run(
            "sh",
            "-c",
            "cd \"$1\" && rsync -aHAX --numeric-ids -e ./remote.sh "
                + "--rsync-path='setpriv --reuid 1000 --regid 1000 --clear-groups rsync --fake-super' src/ host:$PWD/root/",
            "sh",
            fixture.host.path
        )
        // Beneath a directory that only root may enter there is nothing to show.
        guard result.status == 0 else {
            return #expect(result.output.contains("Permission denied"), "\(result.output)")
        }
        let list = try fixture.entries()
        #expect(list["bin/su"] == "4775 10:20 file", "the group's bits are the list's mask")
        #expect(list["bin/lnk"] == "777 5:6 -> su")
        #expect(list["dev/null"] == "644 0:0 c 1,3" && list["dev/sda1"] == "644 0:0 b 8,1")
        #expect(list["dev/pipe"] == "644 0:0 pipe")
        #expect(list.attribute("trusted.foo", of: "dev") == Array("xx".utf8))
        let acl = try #require(list.attribute("system.posix_acl_access", of: "bin/su"))
        let source = try fixture.shell("getfattr --only-values -n system.posix_acl_access src/bin/su | od -An -v -tx1")
        #expect(acl == source.split(whereSeparator: { " \n".contains($0) }).compactMap { UInt8($0, radix: 16) })
    }

    @Test func accessControlListsOfRsync() {
        // user::rw-, user:5:rwx, group::r--, mask::rwx, other::---
        let list = AccessControlList([
            .init(.owner, permissions: 6), .init(.user, permissions: 7, id: 5), .init(.owningGroup, permissions: 4),
            .init(.mask, permissions: 7), .init(.other, permissions: 0),
        ])
        let value = list?.attribute ?? []
        let kept = RsyncACL.encode(value, isDefault: false) ?? []
        #expect(kept == hex("80000000 04000000 07000000 80000000 05000000 07000080"))
        #expect(RsyncACL.decode(kept, permissions: 0o670) == value)
        let kept2 = RsyncACL.encode(value, isDefault: true) ?? []
        #expect(kept2 == hex("06000000 04000000 07000000 00000000 05000000 07000080"))
        #expect(RsyncACL.decode(kept2, permissions: nil) == value)
        for bad in [[], Array(kept.dropLast()), kept + [0, 0, 0, 0]] {
            #expect(RsyncACL.decode(bad, permissions: 0o644) == nil)
        }
        #expect(RsyncACL.encode([1, 2, 3], isDefault: false) == nil)
    }

    @Test(.enabled(if: isInstalled("python3"))) func mappedXattrOfQEMU() throws {
        let fixture = try ForeignFixture()
        try fixture.host.write(
            "make.py",
            """
            import os, struct
            def label(path, uid, gid, mode, rdev=None):
                for name, value in (('uid', uid), ('gid', gid), ('mode', mode)):
                    os.setxattr(path, 'user.virtfs.' + name, struct.pack('<I', value))
                if rdev: os.setxattr(path, 'user.virtfs.rdev', struct.pack('<Q', os.makedev(*rdev)))
            def make(path, content=b''):
                open(path, 'wb').write(content)
                os.chmod(path, 0o600)
            os.makedirs('root/dev', 0o700)
            label('root', 0, 0, 0o40755)
            label('root/dev', 0, 0, 0o41777)
            make('root/su', b'hi'); label('root/su', 1, 2, 0o104755)
            make('root/lnk', b'su'); label('root/lnk', 5, 6, 0o120777)
            make('root/dev/tty'); label('root/dev/tty', 0, 5, 0o20620, (4, 300))
            make('root/dev/sda'); label('root/dev/sda', 0, 6, 0o60660, (8, 0))
            make('root/dev/sock'); label('root/dev/sock', 0, 0, 0o140777)
            make('root/part'); os.setxattr('root/part', 'user.virtfs.uid', struct.pack('<I', 7))
            acl = bytes.fromhex('02000000' '01000600ffffffff' '0200070005000000' '04000400ffffffff' '10000700ffffffff' '20000000ffffffff')
            os.setxattr('root/su', 'user.virtfs.system.posix_acl_access', acl)
            os.setxattr('root/su', 'user.foo', b'bar')
            """
        )
        try fixture.shell("umask 022; python3 make.py")
        #expect(try MetadataEvidence(fixture.host.file("root")).kind == .virtfs)
        let list = try fixture.entries()
        #expect(list["."] == "755 0:0 dir" && list["dev"] == "1777 0:0 dir")
        #expect(list["su"] == "4755 1:2 file" && list["lnk"] == "777 5:6 -> su")
        #expect(list["dev/tty"] == "620 0:5 c 4,300" && list["dev/sda"] == "660 0:6 b 8,0")
        #expect(list["dev/sock"] == "777 0:0 socket")
        #expect(list["part"] == "600 7:\(try fixture.host.status("root/part").gid) file")
        #expect(list.attribute("system.posix_acl_access", of: "su")?.count == 44)
        #expect(list.attribute("user.foo", of: "su") == Array("bar".utf8))
        try fixture.shell("setfattr -n user.virtfs.mode -v xx root/su")
        #expect(try fixture.refusal().message == "the attribute user.virtfs.mode of su is damaged")
    }

    @Test func mappedFileOfQEMU() throws {
        let fixture = try ForeignFixture()
        try fixture.shell(
            """
            umask 077; mkdir -p root/dev/.virtfs_metadata root/.virtfs_metadata; cd root
            printf hi > su; printf su > lnk; : > dev/null; echo x > free
            label() { printf 'virtfs.uid=%s\\nvirtfs.gid=%s\\nvirtfs.mode=%s\\n' "$2" "$3" "$4" > "$1"; }
            label .virtfs_metadata_root 0 0 16877
            label .virtfs_metadata/dev 0 0 16895
            label .virtfs_metadata/su -2 2 35309
            label .virtfs_metadata/lnk 5 6 41471
            label dev/.virtfs_metadata/null 0 0 8630; echo 'virtfs.rdev=259' >> dev/.virtfs_metadata/null
            """
        )
        #expect(try MetadataEvidence(fixture.host.file("root")).kind == .virtfsFile)
        let list = try fixture.entries()
        #expect(list["."] == "755 0:0 dir" && list["dev"] == "777 0:0 dir")
        #expect(list["su"] == "4755 4294967294:2 file" && list["lnk"] == "777 5:6 -> su")
        #expect(list["dev/null"] == "666 0:0 c 1,3")
        #expect(list["free"]?.hasPrefix("600 \(System.effectiveUser):") == true)
        #expect(list.order == [".", "dev", "dev/null", "free", "lnk", "su"])
        try fixture.shell("echo virtfs.uid=1x > root/.virtfs_metadata/su")
        #expect(try fixture.refusal().message.contains("the metadata of su"))
    }

    /// umoci unpacks an image whose layer was made by Python.
    @Test(.enabled(if: isInstalled("umoci") && isInstalled("python3"))) func rootlessUmoci() throws {
        let fixture = try ForeignFixture()
        try fixture.host.write(
            "make.py",
            """
            import hashlib, io, json, os, tarfile
            os.makedirs('oci/blobs/sha256')
            def blob(data, kind):
                digest = hashlib.sha256(data).hexdigest()
                open('oci/blobs/sha256/' + digest, 'wb').write(data)
                return {'mediaType': kind, 'digest': 'sha256:' + digest, 'size': len(data)}
            out = io.BytesIO()
            t = tarfile.open(fileobj=out, mode='w')
            def add(name, kind, mode, uid=0, gid=0, data=b'', link=''):
                i = tarfile.TarInfo(name); i.type, i.mode, i.uid, i.gid, i.size, i.linkname = kind, mode, uid, gid, len(data), link
                t.addfile(i, io.BytesIO(data))
            add('bin', tarfile.DIRTYPE, 0o755)
            add('bin/game', tarfile.REGTYPE, 0o2755, 5, 60, b'game')
            add('bin/sh', tarfile.REGTYPE, 0o755, data=b'sh')
            add('home', tarfile.DIRTYPE, 0o750, 1000, 100000)
            add('lnk', tarfile.SYMTYPE, 0o777, link='bin/sh')
            t.close()
            layer = out.getvalue()
            config = json.dumps({'architecture': 'arm64', 'os': 'linux', 'rootfs': {'type': 'layers',
                'diff_ids': ['sha256:' + hashlib.sha256(layer).hexdigest()]}}).encode()
            manifest = json.dumps({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json',
                'config': blob(config, 'application/vnd.oci.image.config.v1+json'),
                'layers': [blob(layer, 'application/vnd.oci.image.layer.v1.tar')]}).encode()
            entry = blob(manifest, 'application/vnd.oci.image.manifest.v1+json')
            entry['annotations'] = {'org.opencontainers.image.ref.name': 'latest'}
            open('oci/index.json', 'w').write(json.dumps({'schemaVersion': 2, 'manifests': [entry]}))
            open('oci/oci-layout', 'w').write('{"imageLayoutVersion": "1.0.0"}')
            """
        )
        try fixture.shell("python3 make.py; umoci unpack --rootless --image oci:latest bundle; mv bundle/rootfs root")
        #expect(try MetadataEvidence(fixture.host.file("root")).kind == .rootlesscontainers)
        let list = try fixture.entries()
        #expect(list["bin/game"] == "2755 5:60 file" && list["bin/sh"] == "755 0:0 file")
        #expect(list["home"] == "750 1000:100000 dir" && list["lnk"] == "777 0:0 -> bin/sh")
    }

    @Test func rootlessMessages() {
        #expect(RootlessContainersReader.parse([8, 0xe8, 7, 16, 5]) == Owner(uid: 1000, gid: 5))
        #expect(RootlessContainersReader.parse([8, 0xff, 0xff, 0xff, 0xff, 0x0f, 16, 5]) == Owner(uid: 0, gid: 5))
        #expect(RootlessContainersReader.parse([]) == Owner(uid: 0, gid: 0))
        #expect(RootlessContainersReader.parse([0x1a, 2, 9, 9, 8, 1]) == Owner(uid: 1, gid: 0))
        for bad: [UInt8] in [
            [8], [8, 0x80], [0x1a, 200, 1], [0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], [15],
        ] {
            #expect(RootlessContainersReader.parse(bad) == nil, "\(bad)")
        }
    }

    @Test(.enabled(if: isInstalled("setfattr"))) func labelsOfContainersStorageAndFuseOverlayfs() throws {
        let fixture = try ForeignFixture()
        try fixture.shell(
            """
            umask 022; mkdir root; cd root; touch new three older; echo x > text
            setfattr -n user.containers.override_stat -v 1:2:020644:char-1-3 new
            setfattr -n user.containers.override_stat -v 3:4:0750 three
            setfattr -n user.fuseoverlayfs.override_stat -v 5:6:0711 older
            setfattr -n user.containers.override_security.capability -v \(ForeignFixture.netRawHex) text
            """
        )
        #expect(try MetadataEvidence(fixture.host.file("root")).kind == .overrideStat)
        let list = try fixture.entries()
        #expect(list["new"] == "644 1:2 c 1,3" && list["three"] == "750 3:4 file" && list["older"] == "711 5:6 file")
        #expect(list["text"] == "644 0:0 file" && list["."] == "755 0:0 dir")
        #expect(list.entries["older"]?.attributes == [])
        #expect(list.attribute("security.capability", of: "text") == ForeignFixture.netRaw)
    }

    @Test func plainDirectoryIsRoots() throws {
        let fixture = try ForeignFixture()
        try fixture.shell(
            "umask 022; mkdir -p root/d; echo x > root/d/f; ln root/d/f root/g; ln -s d root/l; mkfifo root/p"
        )
        #expect(try MetadataEvidence(fixture.host.file("root")).kind == .plain)
        let list = try fixture.entries()
        #expect(list["."] == "755 0:0 dir" && list["d/f"] == "644 0:0 file" && list["g"] == "== d/f")
        #expect(list["l"] == "777 0:0 -> d" && list["p"] == "644 0:0 pipe")
        #expect(list.contents["d/f"] == "x\n" && list.notices == [])
    }

    @Test(.enabled(if: isInstalled("setfattr"))) func twoToolsInOneTreeAreNamed() throws {
        let fixture = try ForeignFixture()
        try fixture.shell(
            """
            mkdir root; cd root; touch a b
            setfattr -n user.rsync.%stat -v '100644 0,0 1:1' a
            setfattr -n user.containers.override_stat -v 2:2:0644:file b
            """
        )
        let failure = try fixture.refusal()
        #expect(failure.message.contains("rsync --fake-super (a), user.containers.override_stat (b)"), "\(failure)")
        #expect(failure.hint == "Say which counts: --from rsync or --from override-stat.")
        #expect(try fixture.entries("root", .rsync)["a"] == "644 1:1 file")
    }
}
