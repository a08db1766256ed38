internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// A hidden name beside a destination, under which an import or an export makes it: ".NAME.WORD-" and six random
/// characters.
///
/// The file or directory of this name is locked as long as its process lives (flock(2)). An unlocked one was left by a
/// process that was killed; a locked one means that another process is making the same destination.
struct StagingPlace: ~Copyable {
    let name: FileName
    /// What was made there; holds the lock.
    let descriptor: OwnedDescriptor
    /// What killed processes had left, and was removed.
    let leftoversRemoved: Int

    private static let suffixLength = 6
    /// The longest name that is kept whole; a longer one is cut, and its hash tells it from others with the same beginning.
    private static let maxNameLength = 200
    /// How long another process may hold the parent's lock until we go on without it. Ours hold it for some system calls.
    private static let patience: CInt = 2000

    /// Takes a place.
    ///
    /// Two processes that begin at the same instant look one after the other: the parent directory is locked meanwhile.
    /// - Parameters:
    ///   - last: the destination's last name.
    ///   - word: what is being done, such as "importing".
    ///   - mayShare: whether others may be at work for the same destination.
    ///   - make: makes and opens the file or directory of this name.
    ///   - willRemove: called with the name of every leftover before it is removed.
    /// - Throws: `EBUSY` if another process is making the destination; and what `make` throws.
    static func take(
        for last: String,
        _ word: StaticString,
        in parent: CInt,
        mayShare: Bool = false,
        willRemove: ([UInt8]) -> Void = { _ in },
        make: (UnsafePointer<CChar>) throws(Errno) -> OwnedDescriptor
    ) throws(Errno) -> StagingPlace {
        let prefix = prefix(last, word)
        var leftovers = Leftovers()
        while true {
            let lock = try lockParent(parent)
            let isBusy = leftovers.collect(prefix, in: parent)
            guard mayShare || !isBusy else { throw .EBUSY }
            guard leftovers.isEmpty else {
                // Before anything is made, so that a command that is killed again and again does not leave more each time.
                // Others see by the locks that this destination is being made.
                _ = consume lock
                leftovers.remove(in: parent, willRemove)
                continue
            }
            let name = try freshName(prefix)
            let descriptor = try name.withCString { (name) throws(Errno) in try make(name) }
            // On a file system without locks nobody can see it.
            _ = try? System.tryLock(descriptor.raw)
            extendLifetime(lock)
            return StagingPlace(name: name, descriptor: descriptor, leftoversRemoved: leftovers.removed)
        }
    }

    var nameBytes: [UInt8] { name.bytes.withUnsafeBytes { Array($0) } }

    private init(name: consuming FileName, descriptor: consuming OwnedDescriptor, leftoversRemoved: Int) {
        self.name = name
        self.descriptor = descriptor
        self.leftoversRemoved = leftoversRemoved
    }

    /// ".NAME.WORD-".
    private static func prefix(_ last: String, _ word: StaticString) -> [UInt8] {
        var name = Array(last.utf8)
        if name.count > maxNameLength {
            let hash = SHA256.text(SHA256.hash(name.span.bytes)).prefix(16)
            name = Array(name.prefix(maxNameLength - 17)) + Array("~\(hash)".utf8)
        }
        return Array(".".utf8) + name + Array(".\(word)-".utf8)
    }

    private static func freshName(_ prefix: [UInt8]) throws(Errno) -> FileName {
        let digits = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
        let suffix = (0..<suffixLength).map { _ in digits[Int.random(in: 0..<digits.count)] }
        return try FileName((prefix + suffix).span.bytes)
    }

    /// - Returns: the parent's lock, which goes with the descriptor. Somebody else may lock the directory for long, such
    ///   as another user who locks /tmp: then the descriptor holds none, and two processes of one instant may both go
    ///   on. Their last rename tells them.
    private static func lockParent(_ parent: CInt) throws(Errno) -> OwnedDescriptor {
        let directory = try System.open(at: parent, ".", [.readOnly, .directory])
        let step: CInt = 5
        var waited: CInt = 0
        while waited < patience, (try? System.tryLock(directory.raw)) == false {
            System.sleep(milliseconds: step)
            waited += step
        }
        return directory
    }

    /// What killed processes have left, locked by us.
    private struct Leftovers: ~Copyable {
        private final class Leftover {
            let name: [UInt8]
            let lock: OwnedDescriptor

            init(_ name: [UInt8], _ lock: consuming OwnedDescriptor) {
                self.name = name
                self.lock = lock
            }
        }

        private var found: [Leftover] = []
        /// Names that were looked at: what can't be removed is so once only.
        private var tried: Set<[UInt8]> = []
        /// How many could be removed.
        private(set) var removed = 0

        var isEmpty: Bool { found.isEmpty }

        /// Best effort: what can't be opened is in nobody's way.
        /// - Returns: whether one of them is being made by a process that lives.
        mutating func collect(_ prefix: [UInt8], in parent: CInt) -> Bool {
            guard let names = try? System.names(in: parent) else { return false }
            var isBusy = false
            for bytes in names
            where bytes.starts(with: prefix) && bytes.count == prefix.count + suffixLength
                && !tried.contains(bytes)
            {
                do throws(Errno) {
                    let name = try FileName(bytes.span.bytes)
                    let file = try name.withCString { (name) throws(Errno) in
                        try System.open(at: parent, name, [.readOnly, .noFollow, .nonBlocking])
                    }
                    // In /tmp others could stop us for ever by such a name. If they do make the same destination, the last
                    // rename tells.
                    guard try System.status(of: file.raw).uid == System.effectiveUser else { continue }
                    guard try System.tryLock(file.raw) else {
                        isBusy = true
                        continue
                    }
                    found.append(Leftover(bytes, file))
                    tried.insert(bytes)
                } catch {}
            }
            return isBusy
        }

        /// Best effort as well.
        mutating func remove(in parent: CInt, _ willRemove: ([UInt8]) -> Void) {
            for leftover in found {
                let bytes = leftover.name
                willRemove(bytes)
                do throws(Errno) {
                    let name = try FileName(bytes.span.bytes)
                    try System.removeTree(at: parent, name)
                    removed += 1
                } catch {}
                extendLifetime(leftover)
            }
            found = []
        }
    }
}
