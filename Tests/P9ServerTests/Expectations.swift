import LinuxFiles
import P9Client
import P9Wire
import Testing

/// Expects the server to answer with this errno.
func expectRefusal<Result>(
    _ errno: Errno,
    _ comment: Comment? = nil,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Result
) {
    #expect(throws: ClientError.refused(errno), comment, sourceLocation: sourceLocation) { _ = try body() }
}

extension Client {
    func walk(_ fid: Fid, _ name: String) throws(ClientError) -> Fid { try walk(fid, [name]) }

    /// Walks to a name and opens it.
    func opened(_ fid: Fid, _ name: String, _ flags: OpenFlags = []) throws(ClientError) -> Fid {
        let file = try walk(fid, [name])
        try open(file, flags)
        return file
    }

    /// Makes a file; the result is open.
    func created(
        _ directory: Fid,
        _ name: String,
        _ flags: OpenFlags = .readWrite,
        mode: UInt32 = 0o644,
        gid: UInt32 = 0
    ) throws(ClientError) -> Fid {
        let file = try walk(directory, [String]())
        try create(file, name, flags, mode: mode, gid: gid)
        return file
    }

    func set(
        _ fid: Fid,
        _ valid: SetattrMask,
        mode: UInt32 = 0,
        uid: UInt32 = 0,
        gid: UInt32 = 0,
        size: UInt64 = 0,
        accessTime: WireTime = WireTime(seconds: 0, nanoseconds: 0),
        modificationTime: WireTime = WireTime(seconds: 0, nanoseconds: 0)
    ) throws(ClientError) {
        try setAttributes(
            Tsetattr(
                fid: fid,
                valid: valid,
                mode: mode,
                uid: uid,
                gid: gid,
                size: size,
                accessTime: accessTime,
                modificationTime: modificationTime
            )
        )
    }

    /// Sends a Twalk with raw names.
    func rawWalk(_ fid: Fid, to newfid: Fid, _ names: String...) throws(ClientError) -> Rwalk {
        try walk(fid, to: newfid, names.map { Array($0.utf8) })
    }

    /// What stat(2) says of a name, as a client finds it.
    func status(_ directory: Fid, _ name: String) throws(ClientError) -> Rgetattr {
        let fid = try walk(directory, [name])
        let status = try getAttributes(fid)
        try clunk(fid)
        return status
    }

    func attributeNames(_ fid: Fid) throws(ClientError) -> [String] {
        try attribute(fid, "").split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }
}
