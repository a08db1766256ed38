internal import LinuxFiles
internal import P9Wire
internal import ServedTree

/// Tlock and Tgetlock. Neither waits: a client whose lock is refused asks again.
extension Session {
    func lock(_ request: Tlock, _ reply: inout Reply) throws(Errno) {
        guard request.clientID.byteCount <= LockTable.maximumClientID else { throw .EINVAL }
        let owner = LockTable.Owner(
            session: lockHolder.session,
            processID: request.processID,
            clientID: request.clientID.array
        )
        let lock = LockTable.Lock(
            owner: owner,
            fid: request.fid,
            isWrite: request.type == .write,
            range: LockTable.Range(start: request.start, length: request.length)
        )
        let type = request.type
        let locks = configuration.locks
        // A Tclunk at the same moment gives back what was locked before it, and nothing is locked after it.
        let status = try fids.whileBound(request.fid) { (entry) throws(Errno) -> LockStatus in
            let file = try Self.lockable(entry)
            switch type {
            case .unlock: return locks.release(lock.range, of: owner, on: file, for: lockHolder)
            case .read, .write: return locks.acquire(lock, on: file, for: lockHolder)
            default: throw .EINVAL
            }
        }
        try reply.send(Rlock(status: status))
    }

    func getLock(_ request: Tgetlock, _ reply: inout Reply) throws(Errno) {
        let file = try Self.lockable(fids[request.fid])
        let wanted = LockTable.Lock(
            owner: LockTable.Owner(
                session: lockHolder.session,
                processID: request.processID,
                clientID: request.clientID.array
            ),
            fid: request.fid,
            // The Linux client always sends type `unlock`: then any lock is in the way.
            isWrite: request.type != .read,
            range: LockTable.Range(start: request.start, length: request.length)
        )
        guard let holder = configuration.locks.obstacle(to: wanted, on: file) else {
            return try reply.send(
                Rgetlock(
                    type: .unlock,
                    start: request.start,
                    length: request.length,
                    processID: request.processID,
                    clientID: request.clientID
                )
            )
        }
        try reply.send(
            Rgetlock(
                type: holder.isWrite ? .write : .read,
                start: holder.range.start,
                length: holder.range.length,
                processID: holder.owner.processID,
                clientID: holder.owner.clientID.span.bytes
            )
        )
    }

    private static func lockable(_ entry: FidEntry) throws(Errno) -> LockTable.File {
        guard case .open(.file) = entry.state else { throw .EBADF }
        return entry.lockFile
    }
}

extension FidEntry {
    var lockFile: LockTable.File { LockTable.File(device: node.identity.device, inode: node.identity.inode) }
}
