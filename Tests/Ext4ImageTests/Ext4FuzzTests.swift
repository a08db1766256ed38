import Ext4Image
import Glibc
import ImageEntries
import ImageTestSupport
import LinuxFiles
import TestSupport
import Testing

/// Images with wrong bytes in them: reading always ends soon, with an error or without.
@Suite(.enabled(if: isInstalled("mke2fs") && isInstalled("debugfs"))) struct Ext4FuzzTests {
    private struct Random {
        var state: UInt64

        mutating func next(below limit: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(limit))
        }
    }

    /// More for a long run: `USB9PFS_FUZZ_ROUNDS=100000 swift test --filter Ext4Fuzz`.
    private static let rounds = getenv("USB9PFS_FUZZ_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 600
    private static let seed = getenv("USB9PFS_FUZZ_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1

    /// Reads all of an image, and drops it.
    private static func read(_ image: String) throws(Errno) -> ImageError? {
        let descriptor = try System.open(image, .readOnly)
        do throws(ImageError) {
            let source = try Ext4Source(image: descriptor, name: "image")
            while try source.next() != nil { try source.forEachBlock { _, _ in } }
            return nil
        } catch {
            return error
        }
    }

    private static let layouts = [
        "-t ext4 -b 1024 -O ^metadata_csum,^has_journal", "-t ext2 -b 1024",
        "-t ext4 -b 1024 -O ^metadata_csum,^has_journal,inline_data,ea_inode", "-t ext4 -b 1024 -O ^has_journal",
        "-t ext4 -b 4096 -O ^metadata_csum,^has_journal,large_dir",
    ]

    @Test(.disabled(if: isQuick, "it takes seconds"), .timeLimit(.minutes(10)), arguments: layouts) func wrongBytes(
        _ layout: String
    ) throws {
        let fixture = try Ext4Fixture()
        try fixture.shell(
            """
            mkdir -p in/a/b in/many; for i in $(seq 60); do echo $i > in/many/$i-with-a-long-name; done
            for i in $(seq 0 2 60); do printf '%1024s' $i | dd of=in/holes bs=4096 seek=$i conv=notrunc status=none; done
            for i in $(seq 0 2 700); do printf $i | dd of=in/a/b/more bs=1024 seek=$i conv=notrunc status=none; done
            ln -s target in/short; ln -s $(printf '%0200d' 1) in/long; echo text > in/file; ln in/file in/a/name
            truncate -s 1536K image; mke2fs -q -F \(layout) -N 128 -d in image
            printf '\\002\\000\\000\\000\\001\\000\\006\\000\\377\\377\\377\\377\\002\\000\\004\\000\\001\\000\\000\\000' > acl
            cat > script <<'END'
            ea_set file user.one 1
            ea_set file user.large \(String(repeating: "0123456789", count: 60))
            ea_set many user.two \(String(repeating: "x", count: 300))
            ea_set -f acl file system.posix_acl_access
            mknod null c 1 3
            END
            debugfs -w -f script image
            """
        )
        let whole = try fixture.host.read("image")
        let path = fixture.host.file("image")
        #expect(try Self.read(path) == nil)
        let used = stride(from: 0, to: whole.count, by: 16).filter { start in
            whole[start..<start + 16].contains { $0 != 0 }
        }
        let image = try System.open(path, .readWrite)
        var random = Random(state: Self.seed &* 0x9e37_79b9_7f4a_7c15 | 1)
        var refused = 0
        for round in 0..<Self.rounds {
            var changed: [Int] = []
            for _ in 0...random.next(below: 4) {
                let position = used[random.next(below: used.count)] + random.next(below: 4) * 4
                var bytes = Array(whole[position..<position + 4])
                switch random.next(below: 5) {
                case 0: bytes[random.next(below: 4)] ^= 1 << random.next(below: 8)
                case 1: bytes = [0xff, 0xff, 0xff, 0xff]
                case 2: bytes[random.next(below: 4)] = UInt8(random.next(below: 256))
                case 3: bytes = [UInt8(random.next(below: 64)), 0, 0, 0]
                default:
                    let other = used[random.next(below: used.count)]
                    bytes = Array(whole[other..<other + 4])
                }
                _ = try System.write(image.raw, bytes.span.bytes, at: Int64(position))
                changed.append(position)
            }
            let took = try processorTime {
                if let error = try Self.read(path) {
                    refused += 1
                    #expect([.badArchive, .refusedEntry].contains(error.code), "round \(round): \(error)")
                }
            }
            #expect(took < .seconds(5), "round \(round), changed \(changed)")
            for position in changed {
                _ = try System.write(image.raw, Array(whole[position..<position + 4]).span.bytes, at: Int64(position))
            }
        }
        #expect(refused > Self.rounds / 20)
    }
}
