/// References to images as people write them.
enum ImageName {
    /// Whether a name in a layout is the one that a user asks for: the whole, or without what is Docker's default.
    static func matches(_ name: String, _ wanted: String) -> Bool {
        let forms = forms(name)
        return self.forms(wanted).contains { forms.contains($0) || forms.contains($0 + ":latest") }
    }

    private static func forms(_ name: String) -> [String] {
        var forms = [name]
        for prefix in ["docker.io/library/", "docker.io/"] where name.hasPrefix(prefix) {
            forms.append(String(name.dropFirst(prefix.count)))
        }
        return forms
    }
}
