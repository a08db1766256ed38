internal import Glibc

/// Pauses this thread.
public func sleep(milliseconds: Int) {
    usleep(useconds_t(milliseconds * 1000))
}
