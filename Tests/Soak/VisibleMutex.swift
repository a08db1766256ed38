import Glibc

/// `Synchronization.Mutex` as the thread sanitizer can see it: by pthread. Swift's own is a futex, of which it knows nothing, so
/// it would take everything that is guarded for a race. Tests/Soak/sanitizers.sh puts it into a copy of the sources.
public final class VisibleMutex<Value>: @unchecked Sendable {  // the value is touched under the lock only
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    /// Not the value alone: one without a size would have the address of the object itself, which all threads read.
    private var guarded: (value: Value, size: UInt8)

    public init(_ value: consuming sending Value) {
        guarded = (value, 0)
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    public func withLock<Result: ~Copyable, E: Error>(
        _ body: (inout sending Value) throws(E) -> sending Result
    ) throws(E) -> sending Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&guarded.value)
    }

    public func withLockIfAvailable<Result, E: Error>(
        _ body: (inout sending Value) throws(E) -> sending Result
    ) throws(E) -> sending Result? {
        guard pthread_mutex_trylock(mutex) == 0 else { return nil }
        defer { pthread_mutex_unlock(mutex) }
        return try body(&guarded.value)
    }
}
