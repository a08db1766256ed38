internal import Glibc

/// Pauses this thread.
public func sleep(milliseconds: Int) {
    usleep(useconds_t(milliseconds * 1000))
}

/// Looks every 5 ms whether something has come to pass, for 60 s at least, and not again once it has.
public func waitUntil(_ condition: () -> Bool) {
    for _ in 0..<12_000 {
        if condition() { return }
        sleep(milliseconds: 5)
    }
}

/// The processor's time that `body` takes on this thread: what else the machine does counts for little.
public func processorTime(of body: () throws -> Void) rethrows -> Duration {
    let start = processorTime()
    try body()
    return processorTime() - start
}

private func processorTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}
