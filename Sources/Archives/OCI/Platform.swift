/// What a root filesystem's programs run on, in the words of OCI images: Go's GOOS and GOARCH.
package struct Platform: Hashable {
    package var system: String
    package var architecture: String
    package var variant: String?

    package init(system: String = "linux", architecture: String, variant: String? = nil) {
        self.system = system
        self.architecture = architecture
        self.variant = variant
    }

    /// Reads "OS/ARCHITECTURE" or "OS/ARCHITECTURE/VARIANT"; nil for anything else.
    package init?(parsing text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 || parts.count == 3, !parts.contains("") else { return nil }
        self.init(system: parts[0], architecture: parts[1], variant: parts.count == 3 ? parts[2] : nil)
    }
}
