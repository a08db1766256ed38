import Glibc

/// Lets the calling thread sleep. The corresponding C function is `usleep`.
func pause(milliseconds: UInt32) {
    usleep(milliseconds * 1000)
}
