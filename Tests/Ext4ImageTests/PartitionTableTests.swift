import Ext4Image
import ImageEntries
import ImageTestSupport
import LinuxFiles
import TestSupport
import Testing

/// File systems in disk images that sfdisk divided up.
@Suite(.enabled(if: isInstalled("mke2fs") && isInstalled("sfdisk"))) struct PartitionTableTests {
    /// A disk of 40 MiB, and two file systems to put into it: with a file each that says which one it is.
    private func disk(_ table: String) throws -> Ext4Fixture {
        let fixture = try Ext4Fixture()
        try fixture.shell(
            """
            for i in 1 2; do mkdir d$i; echo $i > d$i/which; truncate -s 4M fs$i; mke2fs -q -F -d d$i fs$i; done
            truncate -s 40M disk; sfdisk -q disk <<'END'
            \(table)
            END
            """
        )
        return fixture
    }

    private func put(_ fixture: Ext4Fixture, _ name: String, atMebibyte offset: Int) throws {
        try fixture.shell("dd if=\(name) of=disk bs=1M seek=\(offset) conv=notrunc status=none")
    }

    private func which(_ fixture: Ext4Fixture, _ partition: Int? = nil) throws -> String {
        let content = try fixture.files("disk", partition: partition)["which"]?.content ?? []
        return String(decoding: content, as: UTF8.self)
    }

    @Test(arguments: ["dos", "gpt"]) func onlyOneHasAFileSystem(_ label: String) throws {
        let fixture = try disk("label: \(label)\nstart=2048, size=8192\nstart=20480, size=16384\n")
        try put(fixture, "fs2", atMebibyte: 10)
        #expect(try which(fixture) == "2\n")
        #expect(try which(fixture, 2) == "2\n")
        let other = try fixture.failure("disk", partition: 1)
        #expect(other.message.contains("partition 1 has no ext2") && other.hint?.contains("--partition 2") == true)
        #expect(try fixture.failure("disk", partition: 3).message.contains("no partition 3"))
    }

    @Test func severalNeedANumberOrAName() throws {
        let fixture = try disk("label: gpt\nstart=2048, size=8192, name=boot\nstart=20480, size=16384, name=second\n")
        try put(fixture, "fs1", atMebibyte: 1)
        try put(fixture, "fs2", atMebibyte: 10)
        let error = try fixture.failure("disk")
        #expect(error.message.contains("2 partitions"))
        #expect(error.hint?.contains("--partition 1   4 MiB, ext file system \"boot\"") == true)
        #expect(try which(fixture, 1) == "1\n")
        try fixture.shell("sfdisk -q --part-label disk 2 rootfs")
        #expect(try which(fixture) == "2\n")
        try fixture.shell("sfdisk -q --part-label disk 2 other; tune2fs -L root fs1")
        try put(fixture, "fs1", atMebibyte: 1)
        #expect(try which(fixture) == "1\n")
    }

    @Test func logicalPartitions() throws {
        let table = """
            label: dos
            start=2048, size=8192, type=c
            start=12288, size=65536, type=5
            start=14336, size=8192
            start=24576, size=8192
            """
        let fixture = try disk(table)
        try put(fixture, "fs2", atMebibyte: 12)
        #expect(try which(fixture) == "2\n")
        #expect(try which(fixture, 6) == "2\n")
    }

    /// The first header, or its entries, damaged: the second one at the end is there for that.
    @Test func damagedGPT() throws {
        let fixture = try disk("label: gpt\nstart=20480, size=16384\n")
        try put(fixture, "fs2", atMebibyte: 10)
        try fixture.shell("printf x | dd of=disk bs=1 seek=1050 conv=notrunc status=none")
        #expect(try which(fixture) == "2\n")
        try fixture.shell("truncate -s 30M disk")
        let error = try fixture.failure("disk")
        #expect(error.code == .badArchive && error.message.contains("checksum"))
    }

    /// As on 4Kn disks: the header is at byte 4096, and all numbers count 4096 bytes.
    @Test func sectorsOf4096Bytes() throws {
        let fixture = try Ext4Fixture()
        try fixture.shell(
            """
            mkdir d; echo 4 > d/which; truncate -s 4M fs; mke2fs -q -F -d d fs; truncate -s 40M disk gpt mbr
            python3 - <<'END'
            import struct, zlib
            def write(name, parts):
                with open(name, 'r+b') as f:
                    for offset, data in parts: f.seek(offset); f.write(data)
            fs = open('fs', 'rb').read()
            def entry(kind, start, count): return struct.pack('<B3sB3sII', 0, b'', kind, b'', start, count)
            def mbr(e): return bytes(446) + e + bytes(64 - len(e)) + b'\\x55\\xaa'
            table = (b'\\1' * 32 + struct.pack('<QQQ', 2560, 3583, 0) + 'root'.encode('utf-16le')).ljust(128, b'\\0')
            table = table.ljust(128 * 128, b'\\0')
            head = struct.pack('<8sIIIIQQQQ16sQIII', b'EFI PART', 0x10000, 92, 0, 0, 1, 10239, 6, 10233, b'\\2' * 16, 2, 128, 128,
                zlib.crc32(table))
            head = head[:16] + struct.pack('<I', zlib.crc32(head)) + head[20:]
            write('gpt', [(0, mbr(entry(0xee, 1, 10239))), (4096, head), (8192, table), (2560 * 4096, fs)])
            write('mbr', [(0, mbr(entry(0x83, 2560, 1024))), (2560 * 4096, fs)])
            END
            """
        )
        for name in ["gpt", "mbr"] {
            #expect(try fixture.files(name)["which"]?.content == Array("4\n".utf8), "\(name)")
        }
    }

    @Test func logicalPartitionsThatGoInACircle() throws {
        let table = "label: dos\nstart=2048, size=65536, type=5\nstart=4096, size=8192\nstart=24576, size=8192\n"
        let fixture = try disk(table)
        // The second table points to the first.
        try fixture.shell(
            """
            python3 - <<'END'
            import struct
            with open('disk', 'r+b') as f:
                f.seek(2048 * 512 + 446 + 16); link = f.read(16); at = 2048 + struct.unpack('<I', link[8:12])[0]
                f.seek(at * 512 + 446 + 16); f.write(link[:8] + struct.pack('<II', 1, 8192))
                f.seek((2049) * 512 + 446 + 16); f.write(link[:8] + struct.pack('<II', 1, 8192))
                f.seek((2049) * 512 + 510); f.write(b'\\x55\\xaa')
            END
            """
        )
        #expect(try fixture.failure("disk").message.contains("circle"))
    }

    @Test func wrongBytesInTables() throws {
        let fixture = try disk("label: gpt\nstart=2048, size=8192\nstart=20480, size=16384\n")
        let whole = try fixture.host.read("disk")
        let image = try System.open(fixture.host.file("disk"), .readWrite)
        var state: UInt64 = 88_172_645_463_325_252
        for _ in 0..<500 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            let position = Int(state % 1536)
            _ = try System.write(image.raw, [UInt8(truncatingIfNeeded: state >> 32)].span.bytes, at: Int64(position))
            #expect([.badArchive, .refusedEntry].contains(try fixture.failure("disk").code))
            _ = try System.write(image.raw, [whole[position]].span.bytes, at: Int64(position))
        }
    }
}
