internal import LinuxFiles
internal import Synchronization

/// A directory that databases lie in, held open as long as SQLite may use files in it.
///
/// All users of one directory share one descriptor: SQLite removes a `-shm` file by the path of whoever opened it first.
final class DatabaseDirectory: Sendable {
    /// O_PATH.
    let descriptor: OwnedDescriptor
    let id: DirectoryID

    private struct Held {
        weak var directory: DatabaseDirectory?
        /// Which object that is, also while it goes away. (Beside a weak field Swift 6.3 takes nil for a value if this is an
        /// ObjectIdentifier: `held[id]?` crashes then.)
        let object: UInt

        init(_ directory: DatabaseDirectory) {
            self.directory = directory
            object = Self.number(directory)
        }

        static func number(_ directory: DatabaseDirectory) -> UInt { UInt(bitPattern: ObjectIdentifier(directory)) }
    }

    private static let held = Mutex<[DirectoryID: Held]>([:])

    private init(owning descriptor: consuming OwnedDescriptor, _ id: DirectoryID) {
        self.descriptor = descriptor
        self.id = id
    }

    /// The one object for the directory that a descriptor holds.
    static func of(_ descriptor: consuming OwnedDescriptor) throws(Errno) -> DatabaseDirectory {
        let id = try DirectoryID(of: descriptor.raw)
        let new = DatabaseDirectory(owning: descriptor, id)
        return held.withLock { held in
            if let known = held[id]?.directory { return known }
            held[id] = Held(new)
            return new
        }
    }

    deinit {
        Self.held.withLock { held in
            // Another object may have taken the place. To look at that one might keep the last reference to it, and its own
            // end needs this lock.
            if held[id]?.object == Held.number(self) { held[id] = nil }
        }
    }

    /// Where it is now, for messages and for the user's commands.
    var path: String {
        let path = String(decoding: (try? System.currentPath(of: descriptor.raw)) ?? [], as: UTF8.self)
        return path == "/" ? "" : path
    }

    /// What tells whether names have come or gone, or a file was written: its identity and its times.
    struct Stamp: Equatable {
        let device: UInt64
        let inode: UInt64
        let modified: FileTime
        let changed: FileTime

        init(_ status: FileStatus) {
            (device, inode) = (status.device, status.inode)
            (modified, changed) = (status.modificationTime, status.changeTime)
        }

        /// The stamp of a path; nil if there is nothing.
        init?(_ path: String, in directory: CInt = System.atCurrentDirectory) {
            let bytes = Array(path.utf8CString)
            let status = try? bytes.span.withUnsafeBufferPointer { (bytes) throws(Errno) in
                guard let base = bytes.baseAddress else { throw .EINVAL }
                return try System.status(at: directory, base)
            }
            guard let status else { return nil }
            self.init(status)
        }

        /// Whether a change that comes now moves it: the clock of file times stands still for some milliseconds, and some
        /// file systems count whole seconds.
        var isSettled: Bool {
            let settling: Int64 = changed.nanoseconds == 0 ? 2_050_000_000 : 50_000_000
            let moment = changed.seconds &* 1_000_000_000 &+ Int64(changed.nanoseconds)
            return System.fileClock &- moment > settling
        }
    }
}
