internal import LinuxFiles
internal import P9Wire
internal import Synchronization

/// What lies between one Tversion and the next, or the end of the connection: fids and locks.
final class Session: Sendable {
    let configuration: ServerConfiguration
    /// What the client holds, in this session and others of its connection.
    let client: ClientShare
    /// The largest message in bytes, as settled by Tversion.
    let messageSize: Int
    let fids: FidTable
    let lockHolder: LockTable.Holder

    private static let serial = Atomic<UInt64>(0)

    init(_ configuration: ServerConfiguration, _ client: ClientShare, messageSize: Int) {
        self.configuration = configuration
        self.client = client
        self.messageSize = messageSize
        fids = FidTable(paidBy: client.memory, configuration.limits)
        let serial = Session.serial.wrappingAdd(1, ordering: .relaxed).newValue
        lockHolder = LockTable.Holder(session: serial, client.memory)
    }

    deinit {
        configuration.locks.releaseAll(of: lockHolder)
    }

    /// Executes one request and writes its reply.
    /// - Throws: why the request failed; the reply holds nothing usable then.
    func execute(_ type: MessageType, _ body: RawSpan, _ reply: inout Reply) throws(Errno) {
        switch type {
        case .tattach: try attach(decoded(try? Tattach(decoding: body)), &reply)
        case .twalk: try walk(decoded(try? Twalk(decoding: body)), &reply)
        case .tclunk: try clunk(decoded(try? FidRequest(type, decoding: body)), &reply)
        case .tremove: try remove(decoded(try? FidRequest(type, decoding: body)), &reply)

        case .tlopen: try open(decoded(try? Tlopen(decoding: body)), &reply)
        case .tlcreate: try create(decoded(try? Tlcreate(decoding: body)), &reply)
        case .tread: try read(decoded(try? Tread(decoding: body)), &reply)
        case .twrite: try write(decoded(try? Twrite(decoding: body)), &reply)
        case .tfsync: try synchronize(decoded(try? Tfsync(decoding: body)), &reply)

        case .tgetattr: try getAttributes(decoded(try? Tgetattr(decoding: body)), &reply)
        case .tsetattr: try setAttributes(decoded(try? Tsetattr(decoding: body)), &reply)
        case .tstatfs: try fileSystemStatus(decoded(try? FidRequest(type, decoding: body)), &reply)
        case .treadlink: try readLink(decoded(try? FidRequest(type, decoding: body)), &reply)
        case .txattrwalk: try walkAttribute(decoded(try? Txattrwalk(decoding: body)), &reply)
        case .txattrcreate: try createAttribute(decoded(try? Txattrcreate(decoding: body)), &reply)

        case .treaddir: try readDirectory(decoded(try? Treaddir(decoding: body)), &reply)
        case .tmkdir: try makeDirectory(decoded(try? Tmkdir(decoding: body)), &reply)
        case .tmknod: try makeNode(decoded(try? Tmknod(decoding: body)), &reply)
        case .tsymlink: try makeSymlink(decoded(try? Tsymlink(decoding: body)), &reply)
        case .tlink: try link(decoded(try? Tlink(decoding: body)), &reply)
        case .trename: try rename(decoded(try? Trename(decoding: body)), &reply)
        case .trenameat: try renameAt(decoded(try? Trenameat(decoding: body)), &reply)
        case .tunlinkat: try unlink(decoded(try? Tunlinkat(decoding: body)), &reply)

        case .tlock: try lock(decoded(try? Tlock(decoding: body)), &reply)
        case .tgetlock: try getLock(decoded(try? Tgetlock(decoding: body)), &reply)

        case .tauth:
            _ = try decoded(try? Tauth(decoding: body))
            // No authentication is needed. diod's clients understand only ENOENT as that, and give up on any other error; Linux
            // doesn't ask.
            throw .ENOENT

        // Replies, and requests that the connection handles.
        default: throw .EOPNOTSUPP
        }
    }

    /// Makes EINVAL of a message that does not fit its type.
    @_lifetime(copy message)
    private func decoded<Request: ~Escapable>(_ message: consuming Request?) throws(Errno) -> Request {
        guard let message else { throw .EINVAL }
        return message
    }
}
