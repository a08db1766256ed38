internal import Glibc

/// A thread that runs one closure, for work that blocks in system calls for long.
public final class WorkerThread {
    private let thread: pthread_t
    private var isJoined = false

    /// Starts the thread.
    /// - Returns: nil if the system allows no more threads.
    public init?(_ body: @escaping @Sendable () -> Void) {
        let box = Unmanaged.passRetained(Box(body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            nil,
            { argument in
                if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            },
            box.toOpaque()
        )
        guard code == 0 else {
            box.release()
            return nil
        }
        self.thread = thread
    }

    /// Waits until the closure has returned. The corresponding C function is `pthread_join`.
    public func join() {
        guard !isJoined else { return }
        isJoined = true
        pthread_join(thread, nil)
    }

    deinit {
        if !isJoined { pthread_detach(thread) }
    }

    private final class Box {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }
}
