import Ext4Image
import FakeRoot
import ImageEntries
import ImageTestSupport
import LinuxFiles
import TestSupport
import Testing

/// Reading ext2, ext3 and ext4 images that mke2fs, debugfs and the kernel made.
@Suite(.enabled(if: isInstalled("mke2fs") && isInstalled("debugfs"))) struct Ext4SourceTests {
    /// What mke2fs gets of options: one for each way in which ext file systems keep things.
    static let layouts = [
        "-t ext4", "-t ext2 -b 1024", "-t ext2 -I 128 -b 4096", "-t ext3 -b 2048", "-t ext2 -r 0",
        "-t ext4 -O inline_data", "-t ext4 -O inline_data -I 1024", "-t ext4 -O ea_inode -b 1024",
        "-t ext4 -O ^64bit,^metadata_csum,uninit_bg", "-t ext4 -O bigalloc -C 65536", "-t ext4 -b 65536",
        "-t ext4 -O ^flex_bg,meta_bg,^resize_inode", "-t ext4 -O ^extents,^64bit", "-t ext4 -O metadata_csum_seed",
        "-t ext4 -O casefold,encrypt", "-t ext4 -O large_dir,mmp", "-t ext4 -O ^dir_index,^filetype",
    ]

    private static let large = content(2, 700_001)

    private static func content(_ seed: UInt64, _ count: Int) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
    }

    private static let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20] + [UInt8](repeating: 0, count: 14)
    /// user::rw-, user:1000:r--, group::r--, mask::r--, other::r--
    private static let accessList: [UInt8] = [
        2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0xe8, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
        0x10, 0, 4, 0, 255, 255, 255, 255, 0x20, 0, 4, 0, 255, 255, 255, 255,
    ]

    @Test(.disabled(if: isQuick, "it takes seconds"), arguments: layouts) func everyKindOfFile(_ layout: String) throws
    {
        let fixture = try Ext4Fixture()
        let host = fixture.host
        try host.makeDirectory("in")
        try host.makeDirectory("in/dir", mode: 0o750)
        try host.makeDirectory("in/many")
        try host.makeDirectory("in/empty", mode: 0o700)
        try host.write("in/short", "short")
        try host.write("in/medium", Self.content(1, 150))
        try host.write("in/large", Self.large, mode: 0o640)
        try host.write("in/none", "")
        try host.makeSymlink("in/link", to: "target")
        let long = String(repeating: "0123456789", count: 15)
        try host.makeSymlink("in/slow", to: long)
        try host.makeSymlink("in/broad", to: String(repeating: "x", count: 59))
        for index in 0..<400 { try host.write("in/many/with-a-long-name-\(index)", "\(index)") }
        try host.write("list", Self.accessList)
        try host.write("capability", Self.capability)
        let isOld = layout.contains("-r 0")
        // debugfs can't make a file system grow where bigalloc is on; attributes take no blocks of revision 0.
        let attributes =
            isOld
            ? ""
            : """
            ea_set short user.mine value
            ea_set -f ../capability short security.capability
            ea_set -f ../list short system.posix_acl_access
            ea_set dir trusted.overlay.opaque y
            ea_set short user.large \(String(repeating: "v", count: 700))
            """
        try fixture.shell(
            """
            truncate -s 9M in/sparse; printf begin | dd of=in/sparse conv=notrunc status=none
            printf end | dd of=in/sparse bs=1 seek=5000000 conv=notrunc status=none
            touch -d @1000000000.5 in/short; truncate -s 96M image; mke2fs -q -F \(layout) -N 1024 -d in image
            cat > script <<'END'
            mknod null c 1 3
            mknod disk b 259 4660
            mknod fifo p
            write ../list copied
            sif copied uid 70000
            sif copied gid 3000000000
            sif copied mode 0104755
            ln copied dir/other
            sif copied links_count 2
            sif null mode 020666
            sif null gid 5
            \(attributes)
            END
            cd in && debugfs -w -f ../script ../image
            """
        )
        let list = try EntryList(fixture.source("image"))
        let (paths, files) = (list.paths, list.files)
        #expect(files["short"]?.content == Array("short".utf8))
        #expect(files["medium"]?.content == Self.content(1, 150))
        #expect(files["large"]?.content == Self.large)
        #expect(files["large"]?.entry.permissions == 0o640)
        #expect(files["none"]?.content == [])
        #expect(files["dir"]?.entry.permissions == 0o750)
        #expect(files["empty"]?.entry.body == .directory)
        #expect(files["link"]?.entry.body == .symlink(Array("target".utf8)))
        #expect(files["slow"]?.entry.body == .symlink(Array(long.utf8)))
        #expect(files["broad"]?.entry.body == .symlink(Array(repeating: UInt8(ascii: "x"), count: 59)))
        for index in 0..<400 {
            #expect(files["many/with-a-long-name-\(index)"]?.content == Array("\(index)".utf8))
        }
        let sparse = try #require(files["sparse"])
        // mke2fs 1.47 forgets the hole at the end there.
        let size = layout.contains("inline_data") ? 5_000_003...5_001_216 : 9 << 20...9 << 20
        #expect(size.contains(Int(sparse.entry.size)) && sparse.delivered <= 256 << 10)
        let content = try #require(sparse.content)
        #expect(Array(content[..<6]) == Array("begin".utf8) + [0])
        #expect(Array(content[4_999_999..<5_000_004]) == [0] + Array("end".utf8) + [0])
        #expect(files["null"]?.entry.body == .special(.character(major: 1, minor: 3)))
        #expect(files["null"]?.entry.permissions == 0o666 && files["null"]?.entry.owner.gid == 5)
        #expect(files["disk"]?.entry.body == .special(.block(major: 259, minor: 4660)))
        #expect(files["fifo"]?.entry.body == .special(.pipe))
        let copied = try #require(files["copied"])
        let first = paths.firstIndex(of: "copied") ?? .max < paths.firstIndex(of: "dir/other") ?? .max
        let (file, name) = first ? (copied, files["dir/other"]) : (try #require(files["dir/other"]), copied)
        #expect(file.entry.owner == Owner(uid: 70000, gid: 3_000_000_000))
        #expect(file.entry.permissions == 0o4755)
        #expect(name?.entry.body == .hardLink(Array((first ? "copied" : "dir/other").utf8)))
        #expect(files["./"]?.entry.body == .directory)
        #expect(files["lost+found"] == nil)
        #expect(paths.count == files.count && paths.count == 1 + 16 + 400)
        #expect(files.values.allSatisfy { $0.notice == nil })
        if !layout.contains("-I 128"), !isOld {
            let time = try host.status("in/short").modificationTime
            #expect(files["short"]?.entry.modificationTime?.seconds == time.seconds)
        }
        guard !isOld else { return }
        func value(_ path: String, _ name: String) -> [UInt8]? {
            files[path]?.entry.attributes.first { $0.name == Array(name.utf8) }?.value
        }
        #expect(value("short", "user.mine") == Array("value".utf8))
        #expect(value("short", "security.capability") == Self.capability)
        #expect(value("short", "system.posix_acl_access") == Self.accessList)
        #expect(value("short", "user.large") == [UInt8](repeating: UInt8(ascii: "v"), count: 700))
        #expect(value("dir", "trusted.overlay.opaque") == Array("y".utf8))
        #expect(files["short"]?.entry.attributes.count == 4)
    }

    /// What the running kernel makes: unwritten extents, ACLs, capabilities, times after 2038, indexed directories.
    @Test(.enabled(if: System.effectiveUser == 0 && isInstalled("setfacl") && isInstalled("setcap")))
    func whatTheKernelMade() throws {
        let fixture = try Ext4Fixture()
        try fixture.shell(
            """
            truncate -s 256M image; mke2fs -q -F -t ext4 -O inline_data image; mkdir m; mount -o loop image m
            trap 'cd ..; umount m' EXIT; cd m
            mkdir big d; for i in $(seq 3000); do : > big/a-rather-long-name-for-a-file-$i; done
            fallocate -l 8M unwritten; printf middle | dd of=unwritten bs=1 seek=4194304 conv=notrunc status=none
            : > keep; fallocate -n -l 4M keep; printf x > keep2; fallocate -n -o 4096 -l 1M keep2
            for i in $(seq 0 2 800); do printf '%4096s' $i | dd of=fragments bs=4096 seek=$i conv=notrunc status=none; done
            cp /bin/true cap; setcap cap_net_raw+ep cap; echo acl > acl; setfacl -m u:70000:r,g:5:rw acl
            setfacl -d -m u:70000:rwx d; touch -h -d '2100-01-01T00:00:00.123456789Z' acl
            touch -d '1950-01-01T00:00:00Z' cap; mknod -m 600 sda b 4095 1048575; mknod tty c 5 0; mkfifo fifo
            python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
            ln -s /etc/passwd link; chown -h 12:34 link; printf inline > tiny; chown 100000:200000 tiny; chmod 7777 d
            mkdir little; : > little/a; : > little/b; mkdir little/c; printf ok > little/c/x
            python3 -c 'open("tiny2","w").write("y"*100)'; mv little/b little/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
            """,
            mounts: true
        )
        let files = try fixture.files("image")
        #expect(files.keys.filter { $0.hasPrefix("big/") }.count == 3000)
        let unwritten = try #require(files["unwritten"])
        #expect(unwritten.entry.size == 8 << 20 && unwritten.delivered <= 64 << 10)
        let middle = try #require(unwritten.content)[4_194_303..<4_194_311]
        #expect(Array(middle) == [0] + Array("middle".utf8) + [0])
        #expect(files["keep"]?.content == [])
        #expect(files["keep2"]?.content == Array("x".utf8))
        let fragments = try #require(files["fragments"]?.content)
        #expect(fragments[800 * 4096..<801 * 4096].elementsEqual((String(repeating: " ", count: 4093) + "800").utf8))
        #expect(files["acl"]?.entry.modificationTime == FileTime(seconds: 4_102_444_800, nanoseconds: 123_456_789))
        #expect(files["cap"]?.entry.modificationTime?.seconds == -631_152_000)
        #expect(files["sda"]?.entry.body == .special(.block(major: 4095, minor: 1_048_575)))
        #expect(files["tty"]?.entry.body == .special(.character(major: 5, minor: 0)))
        #expect(files["fifo"]?.entry.body == .special(.pipe))
        #expect(files["sock"]?.entry.body == .special(.socket))
        #expect(files["link"]?.entry.owner == Owner(uid: 12, gid: 34))
        #expect(files["tiny"]?.entry.owner == Owner(uid: 100_000, gid: 200_000))
        #expect(files["tiny"]?.content == Array("inline".utf8))
        #expect(files["tiny2"]?.content == [UInt8](repeating: UInt8(ascii: "y"), count: 100))
        #expect(files["little/c/x"]?.content == Array("ok".utf8))
        #expect(files["little/\("b" + String(repeating: "b", count: 52))"] != nil)
        #expect(files["d"]?.entry.permissions == 0o7777)
        let capability = files["cap"]?.entry.attributes.first { $0.name.elementsEqual("security.capability".utf8) }
        #expect(capability?.value.starts(with: [1, 0, 0, 2, 0, 0x20]) == true)
        let list = files["acl"]?.entry.attributes.first { $0.name.elementsEqual("system.posix_acl_access".utf8) }
        #expect(list?.value.count == 4 + 6 * 8)
        #expect(files["d"]?.entry.attributes.map(\.name) == [Array("system.posix_acl_default".utf8)])
    }

    @Test func lostAndFoundWithContentIsKept() throws {
        let fixture = try Ext4Fixture()
        try fixture.shell(
            """
            echo kept > x; truncate -s 8M image; mke2fs -q -F -t ext4 image
            debugfs -w -R 'write x lost+found/#12' image
            """
        )
        let files = try fixture.files("image")
        #expect(files["lost+found/#12"]?.content == Array("kept\n".utf8))
        #expect(files["lost+found"]?.notice?.contains("e2fsck") == true)
    }

    @Test func journalThatWasNotWrittenBackIsRefusedWithTheCommandThatDoes() throws {
        let fixture = try Ext4Fixture()
        try fixture.shell(
            "truncate -s 16M image; mke2fs -q -F -t ext4 image; debugfs -w -R 'feature needs_recovery' image"
        )
        let error = try fixture.failure("image")
        #expect(error.code == .badArchive && error.message.contains("journal"))
        #expect(error.hint?.contains("e2fsck -fy COPY") == true)
    }

    @Test func fileSystemWithErrorsIsRefused() throws {
        let fixture = try Ext4Fixture()
        try fixture.shell("truncate -s 8M image; mke2fs -q -F -t ext2 image; debugfs -w -R 'ssv state 3' image")
        let error = try fixture.failure("image")
        #expect(error.code == .badArchive && error.message.contains("errors"))
        try fixture.shell("debugfs -w -R 'ssv state 0' image")
        #expect(try fixture.files("image")["./"]?.notice?.contains("in use") == true)
    }

    @Test func encryptedAndCasefoldedFilesAreRefusedByName() throws {
        let fixture = try Ext4Fixture()
        try fixture.shell(
            """
            mkdir -p in/secret in/any; truncate -s 8M image; mke2fs -q -F -t ext4 -O casefold,encrypt -d in image
            cp image other; debugfs -w -R 'sif secret flags 0x80800' image; debugfs -w -R 'sif any flags 0x40080000' other
            """
        )
        let encrypted = try fixture.failure("image")
        #expect(encrypted.code == .refusedEntry)
        #expect(encrypted.message.contains("secret") && encrypted.message.contains("encrypted"))
        let casefold = try fixture.failure("other")
        #expect(casefold.code == .refusedEntry && casefold.message.contains("any"))
    }

    @Test func imageThatWasCutShortAndWhatIsNoImage() throws {
        let fixture = try Ext4Fixture()
        try fixture.shell(
            "truncate -s 8M image; mke2fs -q -F -t ext4 image; truncate -s 5M image; head -c 4096 /dev/zero > zero; : > empty"
        )
        #expect(try fixture.failure("image").message.contains("cut short"))
        #expect(try fixture.failure("zero").message.contains("no ext2, ext3 or ext4"))
        #expect(try fixture.failure("empty").message.contains("no ext2, ext3 or ext4"))
    }
}
