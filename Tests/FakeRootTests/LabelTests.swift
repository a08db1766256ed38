import FakeRoot
import Testing

@Suite struct LabelTests {
    private func parse(_ text: String) -> Label? {
        Array(text.utf8).withUnsafeBytes { Label(parsing: $0) }
    }

    @Test(arguments: [
        ("0:0:0755:dir", Label(uid: 0, gid: 0, mode: 0o755, kind: .directory)),
        ("0:0:04755:file", Label(uid: 0, gid: 0, mode: 0o4755, kind: .file)),
        ("1000:100:0644:file", Label(uid: 1000, gid: 100, mode: 0o644, kind: .file)),
        ("5:6:0777:symlink", Label(uid: 5, gid: 6, mode: 0o777, kind: .symlink)),
        ("0:0:0600:pipe", Label(uid: 0, gid: 0, mode: 0o600, kind: .pipe)),
        ("0:0:0600:socket", Label(uid: 0, gid: 0, mode: 0o600, kind: .socket)),
        ("0:6:0660:block-8-1", Label(uid: 0, gid: 6, mode: 0o660, kind: .block(major: 8, minor: 1))),
        ("0:0:0666:char-1-3", Label(uid: 0, gid: 0, mode: 0o666, kind: .character(major: 1, minor: 3))),
        ("4294967294:65534:00:file", Label(uid: 4_294_967_294, gid: 65534, mode: 0, kind: .file)),
        ("10:20:0755", Label(uid: 10, gid: 20, mode: 0o755, kind: nil)),
    ])
    func golden(_ text: String, _ label: Label) {
        #expect(parse(text) == label)
        #expect(label.text == text)
    }

    /// libkrun stores the whole st_mode; containers/storage and fuse-overlayfs write the octal number without a 0.
    @Test(arguments: [
        ("0:0:0100644:file", Label(uid: 0, gid: 0, mode: 0o644, kind: .file)),
        ("0:0:100644", Label(uid: 0, gid: 0, mode: 0o644, kind: nil)),
        ("0:0:40755:dir", Label(uid: 0, gid: 0, mode: 0o755, kind: .directory)),
        ("1:2:10600", Label(uid: 1, gid: 2, mode: 0o600, kind: .pipe)),
        ("1:2:140600", Label(uid: 1, gid: 2, mode: 0o600, kind: .socket)),
        ("1:2:020600", Label(uid: 1, gid: 2, mode: 0o600, kind: nil)),
        ("1:2:755:dir", Label(uid: 1, gid: 2, mode: 0o755, kind: .directory)),
    ])
    func writtenByOthers(_ text: String, _ label: Label) {
        #expect(parse(text) == label)
    }

    @Test(arguments: [
        "", ":", "0", "0:0", "0:0:", ":0:0755:file", "0::0755:file", "0:0::file", "-1:0:0755:file", "0:0:0855:file",
        "0:0:0755:", "0:0:0755:door", "0:0:0755:file ", "0:0:0755:file:", "0:0:0755:file\0", " 0:0:0755:file",
        "0:0:0755:block", "0:0:0755:block-", "0:0:0755:block-8", "0:0:0755:block-8-", "0:0:0755:char-1--3",
        "4294967296:0:0755:file", "0:99999999999999999999:0755:file", "0:0:77777777777777:file",
        "0:0:0755:char-4294967296-0", "0x0:0:0755:file", "+1:0:0755:file", "0:0:0755:FILE",
    ])
    func hostile(_ text: String) {
        #expect(parse(text) == nil)
    }
}
