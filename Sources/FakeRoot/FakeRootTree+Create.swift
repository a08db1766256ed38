public import LinuxFiles
internal import Synchronization

/// Who a new file belongs to, on the board.
public struct Owner: Hashable, Sendable {
    /// The user.
    public var uid: UInt32
    /// The group.
    public var gid: UInt32

    /// An owner; see `isPossible`.
    public init(uid: UInt32, gid: UInt32) {
        self.uid = uid
        self.gid = gid
    }

    /// Whether Linux has such an owner: the largest number means "no change" in chown(2).
    public var isPossible: Bool { uid != .max && gid != .max }
}

/// Making files. Each appears under its name complete, with its label, or not at all; an existing name is never
/// replaced (`EEXIST`). An owner or group that Linux doesn't have is `EINVAL`.
extension FakeRootTree {
    /// Makes a regular file.
    /// - Parameter permissions: the low 12 bits of the mode.
    /// - Returns: the file, open for reading and writing.
    /// - Throws: `EEXIST`; `EINVAL` for a reserved name or an impossible owner; `EACCES`; what the database gives if
    ///   the label goes there; else as `open(2)` and `linkat(2)`.
    public func createFile(
        _ name: borrowing FileName,
        in directory: CInt,
        owner: Owner,
        permissions: UInt32
    ) throws(Errno) -> OwnedDescriptor {
        try createRegularFile(name, in: directory, owner: owner, permissions: permissions, kind: .file)
    }

    /// Makes a device node, FIFO or socket: an empty regular file with a label.
    /// - Throws: `EINVAL` for a device number that Linux doesn't have, over 4095 (major) or 1048575 (minor).
    public func createSpecial(
        _ name: borrowing FileName,
        in directory: CInt,
        owner: Owner,
        permissions: UInt32,
        kind: NodeKind
    ) throws(Errno) {
        guard kind.isSpecial, kind.isPossible else { throw .EINVAL }
        _ = try createRegularFile(name, in: directory, owner: owner, permissions: permissions, kind: kind)
    }

    private func createRegularFile(
        _ name: borrowing FileName,
        in directory: CInt,
        owner: Owner,
        permissions: UInt32,
        kind: NodeKind
    ) throws(Errno) -> OwnedDescriptor {
        guard !Self.isReservedName(name) else { throw .EINVAL }
        guard owner.isPossible else { throw .EINVAL }
        let permissions = permissions & 0o7777
        let mode = BoardStatus.hostPermissions(permissions, kind)
        let isExpected = isExpected(name)
        let label = Self.label(owner, permissions, kind, isNeeded: isExpected)
        let file = try raisingToFloor(directory) { () throws(Errno) in
            guard let label else {
                let file = try name.withCString { (name) throws(Errno) in
                    try System.open(at: directory, name, [.readWrite, .create, .exclusive, .noFollow], mode: mode)
                }
                _ = try Self.ensureMode(mode, of: file.raw)
                return file
            }
            do throws(Errno) {
                let file = try System.open(at: directory, ".", [.unnamed, .readWrite], mode: mode)
                let row = try putNew(label, mode, on: file.raw)
                do throws(Errno) {
                    try name.withCString { (name) throws(Errno) in try System.link(file.raw, at: directory, name) }
                } catch {
                    if let row { _ = try? removeRow(of: row) }
                    throw error
                }
                return file
            } catch .EOPNOTSUPP, .EISDIR, .ENOENT, .EINVAL {
                // The file system has no O_TMPFILE, or can't link such a file.
                return try staged(name, in: directory, isDirectory: false) { (staging) throws(Errno) in
                    let flags: OpenMode = [.readWrite, .create, .exclusive, .noFollow]
                    let file = try System.open(at: directory, staging, flags, mode: mode)
                    let row = try putNew(label, mode, on: file.raw)
                    return Staged(value: file, row: row)
                }
            }
        }
        if isExpected { describeAnew(name, in: directory, file.raw) }
        return file
    }

    /// What was made under a staging name, and its row if it has one.
    private struct Staged<Value: ~Copyable>: ~Copyable {
        var value: Value
        var row: FileHandle?
    }

    /// Labels a file that nobody has seen yet.
    /// - Returns: the row's key if the label is in the database.
    private func putNew(_ label: Label, _ mode: UInt32, on descriptor: CInt) throws(Errno) -> FileHandle? {
        let host = try Self.ensureMode(mode, of: descriptor)
        return try put(label, on: descriptor, host) ? handle(of: descriptor, host) : nil
    }

    /// A default ACL of the host's directory can take bits from what is made in it, and a setgid bit is inherited; the
    /// board would see that as a developer's chmod.
    private static func ensureMode(_ mode: UInt32, of descriptor: CInt) throws(Errno) -> FileStatus {
        var host = try System.status(of: descriptor)
        guard host.mode & 0o7777 != mode else { return host }
        try System.changeMode(of: descriptor, to: mode)
        host.mode = host.format.rawValue | mode
        return host
    }

    /// Makes a directory.
    /// - Throws: `EEXIST`; `EINVAL` for a reserved name or an impossible owner; `EACCES`; what the database gives if
    ///   the label goes there; else as `mkdir(2)`.
    public func createDirectory(
        _ name: borrowing FileName,
        in directory: CInt,
        owner: Owner,
        permissions: UInt32
    ) throws(Errno) {
        guard !Self.isReservedName(name) else { throw .EINVAL }
        guard owner.isPossible else { throw .EINVAL }
        let permissions = permissions & 0o7777
        let mode = BoardStatus.hostPermissions(permissions, .directory)
        let isExpected = isExpected(name)
        let label = Self.label(owner, permissions, .directory, isNeeded: isExpected)
        try raisingToFloor(directory) { () throws(Errno) in
            guard let label else {
                return try name.withCString { (name) throws(Errno) in
                    try System.makeDirectory(at: directory, name, mode: mode)
                    if try System.status(at: directory, name).mode & 0o7777 != mode {
                        let new = try System.open(at: directory, name, [.path, .directory, .noFollow])
                        _ = try Self.ensureMode(mode, of: new.raw)
                    }
                }
            }
            try staged(name, in: directory, isDirectory: true) { (staging) throws(Errno) in
                try System.makeDirectory(at: directory, staging, mode: mode)
                let new = try System.open(at: directory, staging, [.path, .directory, .noFollow])
                return Staged(value: (), row: try putNew(label, mode, on: new.raw))
            }
        }
        if isExpected { describeAnew(name, in: directory) }
    }

    /// Makes a symbolic link.
    ///
    /// One that does not belong to root has its owner in the database.
    /// - Throws: `EEXIST`; `EINVAL` for a reserved name or an impossible owner; `EACCES`; what the database gives if
    ///   the label goes there; else as `symlink(2)`.
    public func createSymlink(
        _ name: borrowing FileName,
        in directory: CInt,
        target: UnsafePointer<CChar>,
        owner: Owner = Owner(uid: 0, gid: 0)
    ) throws(Errno) {
        guard !Self.isReservedName(name) else { throw .EINVAL }
        guard owner.isPossible else { throw .EINVAL }
        let isExpected = isExpected(name)
        let label = Self.label(owner, 0o777, .symlink, isNeeded: isExpected)
        try raisingToFloor(directory) { () throws(Errno) in
            guard let label else {
                return try name.withCString { (name) throws(Errno) in
                    try System.makeSymlink(to: target, at: directory, name)
                }
            }
            try staged(name, in: directory, isDirectory: false) { (staging) throws(Errno) in
                try System.makeSymlink(to: target, at: directory, staging)
                let new = try System.open(at: directory, staging, [.path, .noFollow])
                let host = try System.status(of: new.raw)
                try put(label, on: new.raw, host)
                return Staged(value: (), row: try handle(of: new.raw, host))
            }
        }
        if isExpected { describeAnew(name, in: directory) }
    }

    /// Whether a new file gets a label, because the host's file alone would not show this.
    public static func needsLabel(_ owner: Owner, permissions: UInt32, kind: NodeKind) -> Bool {
        BoardStatus.needsLabel(uid: owner.uid, gid: owner.gid, permissions: permissions & 0o7777, kind: kind)
    }

    private static func label(_ owner: Owner, _ permissions: UInt32, _ kind: NodeKind, isNeeded: Bool) -> Label? {
        guard isNeeded || needsLabel(owner, permissions: permissions, kind: kind) else { return nil }
        return Label(uid: owner.uid, gid: owner.gid, mode: permissions, kind: kind)
    }

    /// Makes something under a staging name, then moves it to its own name; a failure leaves nothing behind.
    private func staged<Result: ~Copyable>(
        _ name: borrowing FileName,
        in directory: CInt,
        isDirectory: Bool,
        make: (UnsafePointer<CChar>) throws(Errno) -> Staged<Result>
    ) throws(Errno) -> Result {
        while true {
            let serial = stagingSerial.wrappingAdd(1, ordering: .relaxed).newValue
            let staging = try FileName("\(Self.stagingPrefix)\(System.processID).\(serial)")
            do throws(Errno) {
                return try stage(staging, name, in: directory, isDirectory: isDirectory, make: make)
            } catch .EAGAIN {
                continue
            }
        }
    }

    /// - Throws: `EAGAIN` if the staging name is taken: by a server in another process namespace, or one that was killed.
    private func stage<Result: ~Copyable>(
        _ staging: borrowing FileName,
        _ name: borrowing FileName,
        in directory: CInt,
        isDirectory: Bool,
        make: (UnsafePointer<CChar>) throws(Errno) -> Staged<Result>
    ) throws(Errno) -> Result {
        try staging.withCString { (staging) throws(Errno) -> Result in
            var isTaken = false
            do throws(Errno) {
                let made: Staged<Result>
                do throws(Errno) {
                    made = try make(staging)
                } catch .EEXIST {
                    isTaken = true
                    throw .EAGAIN
                }
                do throws(Errno) {
                    try name.withCString { (name) throws(Errno) in
                        try System.rename(at: directory, staging, to: directory, name, replacing: false)
                    }
                } catch {
                    if let row = made.row { _ = try? removeRow(of: row) }
                    throw error
                }
                return made.value
            } catch {
                if !isTaken { try? System.unlink(at: directory, staging, isDirectory: isDirectory) }
                throw error
            }
        }
    }

    /// Names that begin with this don't exist for the board: a file is being made there, or was when a server was killed.
    static let stagingPrefix: StaticString = ".usb9pfs-new."

    /// Whether something under this name is being made, or was when a server was killed.
    public static func isStagingName(_ name: borrowing FileName) -> Bool {
        name.hasPrefix(stagingPrefix)
    }

    /// Whether a name doesn't exist for the board: what is being made, and every metadata database with SQLite's files
    /// beside it. Nothing can be found, made, removed or renamed under such a name; an import skips it.
    public static func isReservedName(_ name: borrowing FileName) -> Bool {
        isStagingName(name) || name.bytes.withUnsafeBytes { isDatabaseName($0) }
    }

    /// Whether a name ends in ".usb9pfs.db" or ".usb9pfs.db.old", or in one of these and "-wal", "-shm", "-journal", "-record"
    /// or "-mj" with what SQLite adds to that.
    private static func isDatabaseName(_ name: UnsafeRawBufferPointer) -> Bool {
        let ending = DatabaseLocation.suffix.utf8
        guard name.count >= ending.count else { return false }
        // Two letters decide: hardly any other name has them in these places.
        for end in stride(from: name.count, through: max(ending.count, name.count - 24), by: -1)
        where name[end - 1] == UInt8(ascii: "b") && name[end - 3] == UInt8(ascii: ".") {
            guard name[..<end].suffix(ending.count).elementsEqual(ending) else { continue }
            var rest = name[end...]
            if rest.starts(with: ".old".utf8) { rest = rest.dropFirst(4) }
            if rest.isEmpty || rest.starts(with: "-mj".utf8) { return true }
            if ["-wal", "-shm", "-journal", "-record"].contains(where: { rest.elementsEqual($0.utf8) }) { return true }
        }
        return false
    }
}
