public import LinuxFiles
public import USBHost

/// Why a board could not be loaded.
public enum BootFailure: Error, Hashable, Sendable {
    /// Somebody asked for it; the board is left where it was.
    case stopped
    /// The board has gone while something was sent to it; the parameter names it.
    case gone(during: String?)
    /// The board did not take something within the time it has; the parameter names it.
    case notTaken(String)
    /// The boot ROM refused its file, with this status.
    case refused(String, status: UInt32)
    /// The directory has no boot code for this processor: see `BootChip.bootcode`. It has some for the others.
    case noBootcode(BootChip, others: [BootChip])
    /// The boot code is there, and can't be used.
    case badBootcode(BootDirectory.Refusal)
    /// A file that was opened can't be read; its name as in `BootFile.origin`, and what `pread(2)` says.
    case unreadable(String, Errno)
    /// The file has become shorter while it was sent; its name as in `BootFile.origin`.
    case changed(String)
    /// The board sent something other than a request.
    case malformed(FileMessage.Malformation)
    /// A transfer failed, and the board is still there.
    case usb(USBError)
}
