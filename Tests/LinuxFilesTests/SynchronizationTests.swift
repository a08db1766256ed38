import LinuxFiles
import TestSupport
import Testing

@Suite("Writing to the disk")
struct SynchronizationTests {
    @Test("a directory that can't be synchronized is all right: /proc's, as those of some shared folders")
    func unsupportedDirectory() throws {
        let directory = try System.open("/proc", [.readOnly, .directory])
        #expect(throws: Errno.EINVAL) { try System.synchronize(directory.raw, dataOnly: false) }
        try System.synchronizeDirectory(directory.raw)
    }

    @Test("a directory that can be is, and a descriptor that can't be used still fails")
    func directory() throws {
        let place = try TemporaryDirectory()
        let directory = try System.open(place.path, [.readOnly, .directory])
        try System.synchronizeDirectory(directory.raw)
        let path = try System.open(place.path, [.path])
        #expect(throws: Errno.EBADF) { try System.synchronizeDirectory(path.raw) }
    }
}
