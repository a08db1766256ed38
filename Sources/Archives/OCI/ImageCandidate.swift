internal import ImageEntries

/// An image that a layout names: it may be the one that is asked for.
struct ImageCandidate {
    enum State {
        /// All its files are there.
        case whole
        /// Why it can't be read, with the file that is missing.
        case incomplete(ImageError)
        /// Its manifest is damaged; that does not matter to the user of another image.
        case damaged(ImageError)
        /// Something else, of this type.
        case artifact(String)
    }

    var descriptor: ImageDescriptor
    /// Nil if neither the index nor the configuration says.
    var platform: Platform?
    /// Which of the descriptors in index.json led to it, from 0.
    var top: Int
    /// What the layout calls that; nil if it has no name.
    var name: String?
    /// The digest in that descriptor, 64 digits.
    var topDigest: String
    var state: State

    /// Whether a user can be offered it.
    var isOffered: Bool {
        switch state {
        case .whole, .damaged: true
        case .incomplete, .artifact: false
        }
    }
}
