internal import CLinux
internal import Glibc

/// Runs `body` on a thread of its own, which nobody joins.
/// - Throws: `EAGAIN` if there can be no more threads.
///
/// The corresponding C function is `pthread_create`.
public func startThread(_ body: @escaping @Sendable () -> Void) throws(Errno) {
    let start = Unmanaged.passRetained(ThreadStart(body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
    // A request's frames are small; the default of 8 MiB would be counted by limits on address space.
    pthread_attr_setstacksize(&attributes, 512 << 10)
    var thread = pthread_t()
    let error = pthread_create(&thread, &attributes, runThread, start.toOpaque())
    guard error == 0 else {
        start.release()
        throw Errno(rawValue: error)
    }
}

private final class ThreadStart: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}

private func runThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    Unmanaged<ThreadStart>.fromOpaque(context).takeRetainedValue().body()
    return nil
}

extension System {
    /// Lets this thread sleep. The corresponding C function is `poll` without descriptors.
    public static func sleep(milliseconds: CInt) { _ = poll(nil, 0, milliseconds) }
}
