@testable import P9Server
import ServedTree
import Testing

@Suite("Limits of a server")
struct ServerLimitsTests {
    @Test(
        "are made for the files that the process may have open",
        arguments: [64, 100, 256, 1024, 4096, 65_536, 1 << 20]
    )
    func scaled(openFiles: Int) {
        let limits = ServerLimits(openFiles: openFiles)
        let shared = limits.descriptors.common + limits.connections * limits.descriptors.guaranteed
        #expect(shared <= openFiles / 4 * 3)
        #expect(limits.connections >= 3 && limits.connections <= 256)
        // Enough to walk to a file and open it.
        #expect(limits.descriptors.guaranteed >= 4)
    }
}
