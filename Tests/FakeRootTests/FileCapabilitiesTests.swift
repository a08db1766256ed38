import FakeRoot
import TestSupport
import Testing

/// What setcap(8) and getcap(8) of Debian 12 write and print for the same text.
@Suite struct FileCapabilitiesTests {
    @Test(arguments: [
        ("cap_net_raw+ep", "0100000200200000000000000000000000000000", "cap_net_raw=ep"),
        ("cap_net_raw=p", "0000000200200000000000000000000000000000", "cap_net_raw=p"),
        ("cap_net_admin,cap_net_raw+eip", "0100000200300000003000000000000000000000", "cap_net_admin,cap_net_raw=eip"),
        ("cap_bpf+ep", "0100000200000000000000008000000000000000", "cap_bpf=ep"),
        ("cap_chown=ip cap_chown-i", "0000000201000000000000000000000000000000", "cap_chown=p"),
    ])
    func `text becomes the value that Linux keeps, and back`(text: String, hex: String, printed: String) throws {
        let capabilities = try FileCapabilities(parsing: text)
        #expect(capabilities.value == TestSupport.hex(hex))
        #expect(FileCapabilities(TestSupport.hex(hex)) == capabilities)
        #expect(capabilities.text == printed)
    }

    @Test func `revision 3 carries the root of its user namespace`() throws {
        let value = hex("010000030020000000000000000000000000000000e80300")
        let capabilities = try #require(FileCapabilities(value))
        #expect(capabilities.rootID == 256_000)
        #expect(capabilities.value == value)
    }

    @Test(arguments: ["", "cap_net_raw", "cap_no_such+ep", "cap_chown+x", "cap_chown+ep cap_kill+p"])
    func `a text that names none is refused`(text: String) {
        #expect(throws: FileCapabilities.TextError.self) { try FileCapabilities(parsing: text) }
    }

    @Test(arguments: ["", "01", "01000002", "0100000500200000000000000000000000000000"])
    func `a value that is none is none`(hex: String) {
        #expect(FileCapabilities(TestSupport.hex(hex)) == nil)
    }
}
