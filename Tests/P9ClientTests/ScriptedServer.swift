internal import Glibc
import LinuxFiles
import P9Client
import TestSupport

/// A server that answers Tversion, and everything else as a test wants it. Its thread ends with the test's process at the latest.
final class ScriptedServer: Sendable {
    /// What the server does with a request: it has the connection, and may keep it for as long as it wants.
    typealias Script = @Sendable (_ request: [UInt8], _ connection: RawConnection) throws -> Void

    let socket: ListeningSocket
    var address: ServerAddress { .tcp(host: "127.0.0.1", port: socket.port) }

    init(_ script: @escaping Script) throws {
        socket = try ListeningSocket()
        let listener = try socket.duplicate()
        try startThread {
            while case let raw = accept(listener, nil, nil), raw >= 0 {
                let connection = RawConnection(owning: OwnedDescriptor(owning: raw))
                _ = try? startThread { Self.serve(connection, script) }
            }
        }
    }

    private static func serve(_ connection: RawConnection, _ script: Script) {
        while let request = try? connection.receive() {
            do {
                if request[4] == 100 {
                    let version = Array(request[7..<11]) + wireString("9P2000.L")
                    try connection.send(frame(101, tag: tag(of: request), version))
                } else {
                    try script(request, connection)
                }
            } catch {
                return
            }
        }
    }

    /// A reply of 7 + 4 bytes and more: an Rread with this many bytes.
    static func read(_ request: [UInt8], count: Int) -> [UInt8] {
        let data = [UInt8](repeating: 1, count: count)
        return frame(117, tag: tag(of: request), littleEndian(UInt32(count)) + data)
    }
}

/// A board that mounts through a `RequestForwarder`, and what it sees.
final class Board {
    let forwarder: RequestForwarder
    let state = Monitor(State())
    private let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)

    struct State {
        var isStopping = false
        var isGone = false
        var said: [String] = []
    }

    init(_ address: ServerAddress, _ change: (inout RequestForwarder.Patience) -> Void = { _ in }) throws {
        var patience = RequestForwarder.Patience()
        patience.look = 10
        change(&patience)
        forwarder = try RequestForwarder(
            address,
            maximumMsize: 1 << 20,
            patience: patience,
            isStopping: { [state] in state.update { $0.isStopping } },
            say: { [state] word in state.update { $0.said.append(word) } }
        )
        forwarder.serve { [state] in state.update { $0.isGone } }
    }

    deinit { reply.deallocate() }

    var said: [String] { state.update { $0.said } }

    func send(_ request: [UInt8]) -> [UInt8] {
        Array(reply[..<forwarder.respond(to: request.span.bytes, into: reply)])
    }

    /// The type byte of the reply to a Tversion.
    func mount(msize: UInt32 = 1 << 20) -> UInt8 {
        send(frame(100, tag: 0xffff, littleEndian(msize) + wireString("9P2000.L")))[4]
    }

    func read(count: UInt32 = 100) -> [UInt8] {
        send(frame(116, tag: 1, littleEndian(UInt32(1)) + littleEndian(UInt64(0)) + littleEndian(count)))
    }

    /// Changes the state in a while.
    func after(milliseconds: Int, _ change: @escaping @Sendable (inout State) -> Void) throws {
        try startThread { [state] in
            sleep(milliseconds: milliseconds)
            state.update { change(&$0) }
        }
    }
}
