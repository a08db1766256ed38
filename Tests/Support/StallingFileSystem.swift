internal import Glibc
internal import LinuxFiles
internal import Synchronization

/// A FUSE file system of this process: a directory of empty files with extended attributes, one of which can be made to
/// leave its changes unanswered, as a dead network file system does. Only root can mount it.
///
/// Source: the kernel's `include/uapi/linux/fuse.h`, version 7.31.
public final class StallingFileSystem: HostFiles {
    private let directory: TemporaryDirectory
    private let core: StallingCore
    public var path: String { directory.path }

    /// - Parameter firstInode: the first file's inode number; the others' follow it.
    /// - Throws: `EPERM` for an ordinary user, `ENOENT` for a kernel without FUSE.
    public init(files: [String], firstInode: UInt64 = 2, directory: TemporaryDirectory) throws {
        self.directory = directory
        core = try StallingCore(files: files, firstInode: firstInode)
        let options = "fd=\(core.device.raw),rootmode=40000,user_id=0,group_id=0"
        guard mount("usb9pfs-test", directory.path, "fuse", 0, options) == 0 else { throw Errno.last }
        let core = core
        try startThread { core.run() }
    }

    deinit {
        core.release()
        umount2(directory.path, CInt(MNT_DETACH))
    }

    /// Whether this process may mount it here.
    public static var isPossible: Bool {
        guard geteuid() == 0, let directory = try? TemporaryDirectory() else { return false }
        return (try? StallingFileSystem(files: [], directory: directory)) != nil
    }

    /// What is not answered from now on: changes of a file's mode, or of its attributes.
    public enum Call: UInt32, Sendable, CaseIterable {
        case changeMode = 4, setAttribute = 21
    }

    public func stall(_ call: Call, of name: String) { core.stall(call, of: name) }

    /// Whether a caller waits for an answer.
    public var isAwaited: Bool { core.isAwaited }

    /// Answers everything, and what is asked from now on.
    public func release() { core.release() }
}

private final class StallingCore: Sendable {
    private struct Node {
        var mode: UInt32
        var attributes: [[UInt8]: [UInt8]] = [:]
        var changeTime = System.fileClock
    }

    private struct State {
        var nodes: [UInt64: Node] = [:]
        var numbers: [[UInt8]: UInt64] = [:]
        var stalled: (call: UInt32, number: UInt64)?
        var waiting: [[UInt8]] = []
    }

    let device: OwnedDescriptor
    private let state: Mutex<State>

    init(files: [String], firstInode: UInt64) throws(Errno) {
        device = try System.open("/dev/fuse", .readWrite)
        var first = State()
        first.nodes[1] = Node(mode: 0o40755)
        for (name, inode) in zip(files, firstInode...) {
            first.nodes[inode] = Node(mode: 0o100644)
            first.numbers[Array(name.utf8)] = inode
        }
        state = Mutex(first)
    }

    func stall(_ call: StallingFileSystem.Call, of name: String) {
        state.withLock { $0.stalled = $0.numbers[Array(name.utf8)].map { (call.rawValue, $0) } }
    }

    var isAwaited: Bool { state.withLock { !$0.waiting.isEmpty } }

    func release() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            state.stalled = nil
            return state.waiting
        }
        for request in waiting { answer(request) }
    }

    func run() {
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = read(device.raw, &buffer, buffer.count)
            if count < 0, errno == EINTR || errno == ENOENT || errno == EAGAIN { continue }
            guard count >= 40 else { return }  // unmounted
            answer(Array(buffer[..<count]))
        }
    }

    private static func number<Integer: FixedWidthInteger>(_ bytes: [UInt8], _ offset: Int, _: Integer.Type) -> Integer
    {
        (0..<MemoryLayout<Integer>.size).reduce(0) { $0 | Integer(bytes[offset + $1]) << (8 * $1) }
    }

    private func answer(_ request: [UInt8]) {
        let call = Self.number(request, 4, UInt32.self)
        let number = Self.number(request, 16, UInt64.self)
        guard call != 2, call != 42, call != 36 else { return }  // FORGET, BATCH_FORGET and INTERRUPT have no answer
        let reply = state.withLock { state -> (error: CInt, body: [UInt8])? in
            if let stalled = state.stalled, stalled == (call, number) {
                state.waiting.append(request)
                return nil
            }
            return Self.reply(to: call, of: number, Array(request[40...]), &state)
        }
        guard let reply else { return }
        let unique = Array(request[8..<16])
        let bytes =
            littleEndian(UInt32(16 + reply.body.count)) + littleEndian(UInt32(bitPattern: -reply.error)) + unique
            + reply.body
        _ = write(device.raw, bytes, bytes.count)
    }

    private static func reply(
        to call: UInt32,
        of number: UInt64,
        _ body: [UInt8],
        _ state: inout State
    ) -> (error: CInt, body: [UInt8]) {
        guard var node = state.nodes[number] ?? (call == 26 ? Node(mode: 0) : nil) else { return (ENOENT, []) }
        func name(at offset: Int) -> [UInt8] { Array(body[offset...].prefix { $0 != 0 }) }
        switch call {
        case 26:  // INIT
            return (
                0,
                littleEndian(UInt32(7)) + littleEndian(UInt32(31)) + [UInt8](repeating: 0, count: 12)
                    + littleEndian(UInt32(65_536)) + littleEndian(UInt32(1)) + [UInt8](repeating: 0, count: 36)
            )
        case 1:  // LOOKUP
            guard let found = state.numbers[name(at: 0)], let node = state.nodes[found] else { return (ENOENT, []) }
            return (0, littleEndian(found) + [UInt8](repeating: 0, count: 32) + attributes(found, node))
        case 3:  // GETATTR
            return (0, [UInt8](repeating: 0, count: 16) + attributes(number, node))
        case 4:  // SETATTR
            if Self.number(body, 0, UInt32.self) & 1 != 0 {
                node.mode = node.mode & 0o170000 | Self.number(body, 68, UInt32.self) & 0o7777
            }
        case 17:  // STATFS
            return (0, [UInt8](repeating: 0, count: 80))
        case 27:  // OPENDIR
            return (0, [UInt8](repeating: 0, count: 16))
        case 28:  // READDIR
            let (offset, size) = (Self.number(body, 8, UInt64.self), Self.number(body, 16, UInt32.self))
            var entries: [UInt8] = []
            for (index, entry) in state.numbers.sorted(by: { $0.value < $1.value }).enumerated().dropFirst(Int(offset))
            {
                let regular: UInt32 = 8
                var record = littleEndian(entry.value) + littleEndian(UInt64(index + 1))
                record += littleEndian(UInt32(entry.key.count)) + littleEndian(regular) + entry.key
                record += [UInt8](repeating: 0, count: -record.count & 7)
                guard entries.count + record.count <= size else { break }
                entries += record
            }
            return (0, entries)
        case 21:  // SETXATTR
            let name = name(at: 8)
            let start = 8 + name.count + 1
            node.attributes[name] = Array(body[start..<start + Int(Self.number(body, 0, UInt32.self))])
        case 22, 23:  // GETXATTR, LISTXATTR
            let names = Array(node.attributes.keys.joined(separator: [0])) + (node.attributes.isEmpty ? [] : [0])
            guard let value = call == 23 ? names : node.attributes[name(at: 8)] else { return (ENODATA, []) }
            let size = Int(Self.number(body, 0, UInt32.self))
            guard size > 0 else { return (0, littleEndian(UInt32(value.count)) + [0, 0, 0, 0]) }
            return value.count <= size ? (0, value) : (ERANGE, [])
        case 24:  // REMOVEXATTR
            guard node.attributes.removeValue(forKey: name(at: 0)) != nil else { return (ENODATA, []) }
        default:
            return (ENOSYS, [])
        }
        node.changeTime = max(System.fileClock, node.changeTime + 1)
        state.nodes[number] = node
        return (0, call == 4 ? [UInt8](repeating: 0, count: 16) + attributes(number, node) : [])
    }

    private static func attributes(_ number: UInt64, _ node: Node) -> [UInt8] {
        let seconds = UInt64(node.changeTime / 1_000_000_000)
        return littleEndian(number) + [UInt8](repeating: 0, count: 16) + littleEndian(seconds) + littleEndian(seconds)
            + littleEndian(seconds) + [UInt8](repeating: 0, count: 8)
            + littleEndian(UInt32(node.changeTime % 1_000_000_000)) + littleEndian(node.mode) + littleEndian(UInt32(1))
            + [UInt8](repeating: 0, count: 12) + littleEndian(UInt32(4096)) + [0, 0, 0, 0]
    }
}
