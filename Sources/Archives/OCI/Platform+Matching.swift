internal import ImageEntries
internal import JSONText
internal import LinuxFiles

/// Which images' platform is the one that a user asks for.
///
/// The same platform has several spellings; they are compared as containerd does it: `x86_64` is `amd64`, `aarch64` is
/// `arm64`, `amd64/v1` is `amd64`, `arm64/v8` is `arm64`, and `arm` is `arm/v7`.
///
/// Source: github.com/containerd/platforms, `normalizeArch` in database.go.
extension Platform {
    /// - Parameter document: with "os", "architecture" and perhaps "variant": a descriptor's, or an image's configuration.
    init?(document: JSONValue) {
        guard let system = document["os"]?.string, let architecture = document["architecture"]?.string,
            !architecture.isEmpty
        else { return nil }
        let variant = document["variant"]?.string
        self.init(system: system, architecture: architecture, variant: variant == "" ? nil : variant)
    }

    /// The platform that a user asks for.
    static func wanted(_ text: String) throws(ImageError) -> Platform {
        if let platform = Platform(parsing: text) { return platform }
        throw ImageError(
            .badArchive,
            "\(printable(text.utf8)) is not a platform",
            hint: "Write OS/ARCHITECTURE, such as --platform linux/arm64."
        )
    }

    /// How well an image fits, from the least to the best.
    enum Fit: Comparable {
        /// The user named no variant, and the image is for another one than the usual.
        case otherVariant
        /// The same platform, perhaps with another spelling.
        case same
        /// The same text.
        case literal
    }

    /// How well an image for this platform fits one that is asked for; nil if it doesn't.
    func fit(_ wanted: Platform) -> Fit? {
        if self == wanted { return .literal }
        let (found, asked) = (normalized, wanted.normalized)
        if found == asked { return .same }
        let isOther = wanted.variant == nil && (found.system, found.architecture) == (asked.system, asked.architecture)
        return isOther ? .otherVariant : nil
    }

    /// The one spelling.
    var normalized: Platform {
        var (architecture, variant) = (architecture.lowercased(), variant?.lowercased())
        switch architecture {
        case "i386": (architecture, variant) = ("386", nil)
        case "x86_64", "x86-64": architecture = "amd64"
        case "aarch64": architecture = "arm64"
        case "armhf": (architecture, variant) = ("arm", "v7")
        case "armel": (architecture, variant) = ("arm", "v6")
        default: break
        }
        switch (architecture, variant) {
        case ("amd64", "v1"), ("arm64", "8"), ("arm64", "v8"), ("arm64", "v8.0"): variant = nil
        case ("arm64", "9"), ("arm64", "9.0"), ("arm64", "v9.0"): variant = "v9"
        case ("arm", nil), ("arm", "7"): variant = "v7"
        case ("arm", "5"), ("arm", "6"), ("arm", "8"): variant = "v" + (variant ?? "")
        default: break
        }
        return Platform(system: system.lowercased(), architecture: architecture, variant: variant)
    }

    /// Whether it is what build tools write for attestations.
    var isUnknown: Bool { system == "unknown" || architecture == "unknown" }

    var text: String { ([system, architecture] + (variant.map { [$0] } ?? [])).joined(separator: "/") }
}
