import Testing
import TestSupport
import TreeTools

/// What coreutils' chmod does, under a umask of 0.
@Suite struct ModeChangeTests {
    @Test(arguments: [
        ("4755", 0o644, 0o4755), ("0", 0o7777, 0), ("u+s,go-w", 0o777, 0o4755), ("a+rX", 0o600, 0o644),
        ("a+rX", 0o700, 0o755), ("=", 0o7777, 0), ("g=u", 0o640, 0o660), ("o=g,g=", 0o750, 0o705),
        ("+t", 0o777, 0o1777),
        ("u+t", 0o777, 0o777), ("-x", 0o755, 0o644), ("ug+s", 0o755, 0o6755), ("o+s", 0o755, 0o755),
        ("u+rwx-x", 0o000, 0o600), ("a-rwx,u=rw", 0o7777, 0o3600),
    ])
    func files(_ text: String, _ old: UInt32, _ new: UInt32) throws {
        #expect(try #require(ModeChange(argument: text)).apply(to: old, isDirectory: false) == new)
    }

    /// A directory keeps setuid and setgid unless they are named, or five digits are there.
    @Test(arguments: [
        ("755", 0o2700, 0o2755), ("00755", 0o2700, 0o755), ("=rx", 0o6777, 0o6555), ("u-s,g-s", 0o6777, 0o777),
        ("a+X", 0o644, 0o755),
    ])
    func directories(_ text: String, _ old: UInt32, _ new: UInt32) throws {
        #expect(try #require(ModeChange(argument: text)).apply(to: old, isDirectory: true) == new)
    }

    @Test(arguments: ["", "8", "17777", "u", "u+q", "z+r", "+r,", "u+r,,g+r", "rwx"])
    func whatIsNoMode(_ text: String) {
        #expect(ModeChange(argument: text) == nil)
    }

    /// The same change by the host's own chmod.
    @Test(.disabled(if: isQuick, "it starts many processes"))
    func asTheHostsOwn() throws {
        let directory = try TemporaryDirectory()
        for text in ["u+x", "g=u", "o=", "a=rX", "u=rw,go=r", "-w", "ug+rw,o-r", "u=g", "755", "1777", "+t"] {
            for old in [0o640, 0o755, 0o600] as [UInt32] {
                let file = directory.file("f")
                _ = try run(
                    "sh",
                    "-c",
                    "umask 0; rm -f \"$0\"; : > \"$0\"; chmod \(String(old, radix: 8)) \"$0\"; chmod \(text) \"$0\"",
                    file
                )
                let change = try #require(ModeChange(argument: text))
                #expect(try directory.mode("f") == change.apply(to: old, isDirectory: false), "\(text) of \(old)")
            }
        }
    }
}
