import P9Wire
import USBLink

/// Answers a board by another responder, and sees from its requests whether the board has files from here.
///
/// A board that has mounted something must be rebooted, or mount anew, when this process ends: the next one knows nothing of
/// its fids. Belongs to the board's thread.
final class MountWatch<Server: Responder>: Responder {
    private let server: Server
    /// Called once, when a board goes on with what an earlier process has served.
    private let onStaleMount: () -> Void
    /// The fids of mounts: with access=user there is one for each user.
    private var roots: [UInt32] = []
    private var hasSession = false
    private var isTold = false

    init(_ server: Server, onStaleMount: @escaping () -> Void) {
        self.server = server
        self.onStaleMount = onStaleMount
    }

    /// Whether the board has a mount that ends with this process.
    var isMounted: Bool { !roots.isEmpty }

    /// The board's endpoints have shown that it has nothing mounted.
    func hasUnmounted() { roots = [] }

    func serve(boardGone: @escaping () -> Bool) { server.serve(boardGone: boardGone) }

    func respond(to request: RawSpan, into reply: UnsafeMutableRawBufferPointer) -> Int {
        let size = server.respond(to: request, into: reply)
        guard let type = FrameHeader(decoding: request).flatMap({ MessageType(rawValue: $0.type) }) else { return size }
        let isGranted = size >= FrameHeader.size && reply[4] == type.rawValue + 1
        switch type {
        case .tversion:
            roots = []
            hasSession = true
        case _ where !hasSession:
            tellOfStaleMount()
        case .tattach where isGranted:
            if let fid = fid(of: request) { roots.append(fid) }
        case .tclunk, .tremove:
            // Gone with any answer.
            if let fid = fid(of: request) { roots.removeAll { $0 == fid } }
        default: break
        }
        return size
    }

    /// Says once that the board goes on with another process's session.
    func tellOfStaleMount() {
        guard !isTold, !hasSession else { return }
        isTold = true
        onStaleMount()
    }

    /// What these messages have first in their body.
    private func fid(of request: RawSpan) -> UInt32? {
        guard request.byteCount >= FrameHeader.size + 4 else { return nil }
        return UInt32(littleEndian: request.unsafeLoadUnaligned(fromByteOffset: FrameHeader.size, as: UInt32.self))
    }
}
