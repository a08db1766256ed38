import FakeRoot
import ImageEntries
import LinuxFiles
import TestSupport
import Testing

@testable import RootfsImage

/// What another user of the host has put into a directory, or beside it, in another tool's form.
@Suite(.enabled(if: System.effectiveUser == 0 && isInstalled("setfattr"))) struct MetadataTrustTests {
    private static let notice = "metadata that are not believed, as other users of this machine can have written them"

    /// A directory of `kind` with a /tmp, in which a neighbour has put a shell, a disk and an owner.
    private static func script(_ kind: MetadataKind, _ owner: String) -> String {
        let label =
            switch kind {
            case .rsync:
                "label() { setfattr -n user.rsync.%stat -v \"$2 $3 0:0\" \"$1\"; }"
            case .virtfs:
                """
                label() { python3 -c 'import os, struct, sys
                mode, device = int(sys.argv[2], 8), [int(n) for n in sys.argv[3].split(",")]
                for name, value in ("uid", 0), ("gid", 0), ("mode", mode):
                    os.setxattr(sys.argv[1], "user.virtfs." + name, struct.pack("<I", value))
                os.setxattr(sys.argv[1], "user.virtfs.rdev", struct.pack("<Q", os.makedev(*device)))' "$@"; }
                """
            default:
                """
                label() { d=$(dirname "$1")/.virtfs_metadata; mkdir -p "$d"
                printf 'virtfs.uid=0\\nvirtfs.gid=0\\nvirtfs.mode=%d\\nvirtfs.rdev=%d\\n' "0$2" "$((${3%,*} * 256))" > "$d/$(basename "$1")"; }
                """
            }
        return """
            mkdir -p root/bin root/tmp; chmod 1777 root/tmp
            echo su > root/bin/su; echo sh > root/tmp/sh; : > root/tmp/sda
            chmod 755 root/bin/su root/tmp/sh; chmod 666 root/tmp/sda
            \(label)
            label root/bin/su 104755 0,0; label root/tmp/sh 104755 0,0; label root/tmp/sda 60666 8,0
            chown -h \(owner) root/tmp/*; [ ! -e root/tmp/.virtfs_metadata ] || chown -R \(owner) root/tmp/.virtfs_metadata
            """
    }

    @Test(arguments: [MetadataKind.rsync, .virtfs, .virtfsFile])
    func strangersFileMakesNoPrivilege(_ kind: MetadataKind) throws {
        let fixture = try ForeignFixture()
        try fixture.shell(Self.script(kind, "1001:1001"))
        let list = try fixture.entries()
        #expect(list["bin/su"] == "4755 0:0 file")
        #expect(list["tmp/sh"] == "755 1001:1001 file" && list["tmp/sda"] == "666 1001:1001 file")
        let notices = list.notices.filter { $0.contains(Self.notice) }
        #expect(notices == ["2 files have \(Self.notice): tmp/sda"], "\(list.notices)")
        // It counts where all is one user's.
        try fixture.shell("chown -R 1001:1001 root; chmod 644 root/tmp/sda")
        #expect(try fixture.entries()["tmp/sda"] == "666 0:0 b 8,0")
    }

    /// Everybody who may write to a file may label it, whosoever it is.
    @Test(arguments: [MetadataKind.rsync, .virtfs])
    func fileThatEverybodyWritesMakesNoPrivilege(_ kind: MetadataKind) throws {
        let fixture = try ForeignFixture()
        try fixture.shell(Self.script(kind, "0:0") + "\nchmod 777 root/tmp/sh")
        let list = try fixture.entries()
        #expect(list["tmp/sh"] == "755 0:0 file" && list["tmp/sda"] == "666 0:0 file")
        #expect(list["bin/su"] == "4755 0:0 file")
        #expect(list.notices.contains("2 files have \(Self.notice): tmp/sda"), "\(list.notices)")
    }

    /// In a directory like /tmp everybody can make the metadata file for another user's file.
    @Test func strangersMetadataOfOurFile() throws {
        let fixture = try ForeignFixture()
        try fixture.shell(Self.script(.virtfsFile, "1001:1001") + "\nchown 0:0 root/tmp/sh root/tmp/sda")
        let list = try fixture.entries()
        #expect(list["tmp/sh"] == "755 0:0 file" && list["tmp/sda"] == "666 0:0 file")
        #expect(list.notices.contains("2 files have \(Self.notice): tmp/sda"), "\(list.notices)")
    }

    /// One file in /tmp made all of a directory another tool's.
    @Test(arguments: [
        "setfattr -n user.rsync.%stat -v '104755 0,0 0:0' root/tmp/x",
        "setfattr -n user.virtfs.uid -v 0x00000000 root/tmp/x",
        "mkdir root/tmp/.virtfs_metadata",
    ])
    func strangersFileIsNoEvidence(_ command: String) throws {
        let fixture = try ForeignFixture()
        try fixture.shell(
            "mkdir -p root/tmp; echo x > root/tmp/x; \(command); chown -R 1001 root/tmp/*; chown -R 1001 root/tmp/.v* || :"
        )
        #expect(try MetadataEvidence(fixture.host.file("root")).kind == .plain)
    }

    /// A directory in /tmp has neighbours that are other users'.
    @Test(arguments: [
        "echo '/x f 4755 0 0 - - - - -' > root.devtable; chown 1001 root.devtable",
        "echo '/x f 4755 0 0 - - - - -' > root.devtable; chmod 666 root.devtable",
        ": > root.fakeroot; chown 1001 root.fakeroot",
        ": > mine; ln -s mine root.fakeroot; chown -h 1001 root.fakeroot",
        "mkdir root.pseudo_state; : > root.pseudo_state/files.db; chown 1001 root.pseudo_state",
    ])
    func strangersFileBesideADirectoryIsRefused(_ command: String) throws {
        let fixture = try ForeignFixture()
        try fixture.shell("mkdir root; echo x > root/x; \(command)")
        let failure = try fixture.refusal()
        #expect(
            failure.code == .badDestination && failure.message.contains("another user of this machine"),
            "\(failure)"
        )
        // It keeps nobody from serving.
        #expect(throws: Never.self) {
            try TreeArgument.verify(fixture.host.file("root"), isForeignAccepted: false)
        }
        #expect(try fixture.entries("root", .plain)["x"] == "644 0:0 file")
    }

    /// The conversion began, failed at this file and left a mark, so that nothing could be done with the directory.
    @Test func conversionRefusesStrangersFilesBeforeItBegins() throws {
        let fixture = try ForeignFixture()
        try fixture.shell("mkdir root; echo a > root/a; echo b > root/b; chown 33 root/b")
        var failure: ImageError?
        do throws(ImageError) {
            _ = try TreeConversion(fixture.host.file("root"), TreeConversion.Options(to: .overrideStat)).run()
        } catch {
            failure = error
        }
        #expect(
            failure?.message.contains("refused b: it belongs to another user") == true,
            "\(String(describing: failure))"
        )
        #expect(try fixture.shell("getfattr -R -d -m - root") == "")
        // A copy can have it all.
        var options = TreeConversion.Options(to: .overrideStat)
        options.output = fixture.host.file("copy")
        _ = try TreeConversion(fixture.host.file("root"), options).run()
        #expect(try fixture.entries("copy")["b"] == "644 33:0 file")
    }
}
