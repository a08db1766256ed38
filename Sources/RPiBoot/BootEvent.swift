/// What a person or program that watches a board being loaded may want to know.
public enum BootEvent: Sendable {
    /// The boot ROM has taken its file.
    case bootcodeSent(BootFile)
    /// The bootloader has asked for a file's size; nil if it is not there.
    case sizeAsked(String, UInt32?)
    /// A file has reached the bootloader, under the name that it asked for.
    case fileSent(String, BootFile)
    /// Told once per name.
    case missing(String)
    /// A file that is there, or a name that leads elsewhere; answered like a missing one.
    case refused(String, BootDirectory.Refusal)
    /// The board tells something of itself.
    case metadata(property: String, value: String)
    /// The bootloader has asked for nothing for this many seconds.
    case silence(Int)
}
