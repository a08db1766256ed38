/// What the user names to load Raspberry Pis from.
public enum BootChoice: Hashable, Sendable {
    /// A directory, which is taken as it is.
    case directory(String)
    /// What `scripts/boot/rpi` makes of the tree that boards mount, for this model; nil is for the processor of the board
    /// that comes.
    case automatic(model: String?)
    /// A directory that `scripts/boot/rpi` has made; made anew where it no longer fits the tree.
    case automaticDirectory(String)

    /// The models of `scripts/boot/rpi`.
    private static let models: Set<String> = [
        "rpi4", "rpi400", "cm4", "cm4s", "rpi5", "rpi500", "cm5", "zero2w", "rpi3a+", "cm3", "bcm2711", "bcm2712",
        "bcm2837",
    ]

    /// Reads "auto", "auto:MODEL", "auto:DIR"; everything else is a directory.
    public init(_ argument: String) {
        let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts[0] == "auto", parts.last != "" else {
            self = .directory(argument)
            return
        }
        if parts.count == 1 {
            self = .automatic(model: nil)
        } else {
            self = Self.models.contains(parts[1]) ? .automatic(model: parts[1]) : .automaticDirectory(parts[1])
        }
    }
}
