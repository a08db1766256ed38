import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// File systems that can't hold what is imported, in a namespace of their own.
@Suite struct ImportRoomTests {
    private static let program = "\(Fixture.package)/.build/debug/p9serve"
    private static let mayMount = (try? run("unshare", "-rm", "true").status) == 0

    /// A tmpfs without inodes said "Permission denied" where the database had none, and nowhere that inodes are what is
    /// lacking.
    @Test(.enabled(if: isInstalled(program) && mayMount)) func noInodesLeft() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            """
            for i in range(20):
                add(f'd{i}', D, uid=i % 2); add(f'd{i}/f', data=b'x' * 100, mode=0o4755); add(f'd{i}/l', S, linkname='f', uid=1)
                add(f'd{i}/e/g')
            """
        )
        let script = """
            for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 40; do
                mount -t tmpfs -o nr_inodes=$n,mode=755 none "$1"
                "$2" import -q --no-sync "$3" "$1/root"; echo "code $?"
                ls -A "$1"; umount "$1"
            done
            """
        try fixture.host.makeDirectory("mnt")
        let arguments = ["sh", "-c", script, "sh", fixture.host.file("mnt"), Self.program, archive]
        let result = try RunningProgram(["unshare", "-rm"] + arguments).wait()
        let lines = result.output.split(separator: "\n")
        #expect(lines.filter { $0.hasPrefix("code") } == Array(repeating: "code 1", count: 17), "\(result.output)")
        #expect(lines.filter { $0.contains("the file system has no inodes left") }.count == 17, "\(result.output)")
        #expect(lines.filter { $0.hasPrefix("    df -i ") }.count == 17, "\(result.output)")
        // Nothing is left behind.
        #expect(lines.count == 17 * 4, "\(result.output)")
    }

    /// Says what is at its limit, and what the limit is. ext4's 65,000 would take their time, so the C library's functions
    /// fail sooner.
    @Test(
        .enabled(if: isInstalled(program) && isInstalled("cc")),
        arguments: [
            ("add('a')\nfor i in range(20): add(f'd/{i}', H, linkname='a')", "can't make d/4: a has 5 names already"),
            ("add('d', D)\nfor i in range(20): add(f'd/{i}', D)", "can't make d/4: d has 4 directories in it already"),
            ("for i in range(20): add(f'd/{i}/f')", "can't make d/4/f: d has 4 directories in it already"),
        ]
    )
    func tooManyLinks(_ body: String, _ message: String) throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(body)
        let limits = """
            #define _GNU_SOURCE
            #include <errno.h>
            #include <sys/stat.h>
            #include <sys/syscall.h>
            #include <unistd.h>
            static int links, directories;
            int linkat(int a, const char *b, int c, const char *d, int e) {
                if (links++ < 4) return syscall(SYS_linkat, a, b, c, d, e);
                errno = EMLINK;
                return -1;
            }
            int mkdirat(int a, const char *b, mode_t c) {
                if (directories++ < 6) return syscall(SYS_mkdirat, a, b, c);
                errno = EMLINK;
                return -1;
            }
            """
        try fixture.host.write("limits.c", limits)
        try fixture.shell("cc -shared -fPIC -o limits.so limits.c")
        let before = try fixture.host.names()
        let arguments = ["import", "-q", "--no-sync", archive, fixture.host.file("root")]
        let preload = "LD_PRELOAD=\(fixture.host.file("limits.so"))"
        let result = try RunningProgram(["env", preload, Self.program] + arguments).wait()
        #expect(result.status == 1 && result.output.contains(message), "\(result.output)")
        #expect(result.output.contains("the most that the destination's file system allows"))
        #expect(result.output.contains("Import to another file system"))
        #expect(try fixture.host.names() == before)
    }
}
