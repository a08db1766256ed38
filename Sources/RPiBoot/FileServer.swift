/// Answers one bootloader's questions from a directory. Independent of USB.
public struct FileServer {
    private let directory: BootDirectory
    private let chip: BootChip
    private let port: String
    private let notify: (BootEvent) -> Void
    /// The file whose size the board was told last: what it reads then has that size, even if the name has another file
    /// by now.
    private var announced: (name: [UInt8], file: BootFile)?

    /// Files that have reached the board, each as often as it was sent.
    public private(set) var filesSent = 0
    /// Bytes of those files.
    public private(set) var bytesSent: UInt64 = 0
    /// What the board asked for in vain, in that order, each name once.
    public private(set) var missing: [String] = []
    /// What the board said of itself.
    public private(set) var metadata: [(property: String, value: String)] = []

    /// The most names, and the most properties, that are remembered: a hostile board must not fill the memory.
    private static let memory = 1000

    /// A server for one board.
    public init(
        _ directory: BootDirectory,
        chip: BootChip,
        port: String,
        notify: @escaping (BootEvent) -> Void
    ) {
        self.directory = directory
        self.chip = chip
        self.port = port
        self.notify = notify
    }

    /// What to answer a message with.
    public enum Answer {
        /// Only the file's length; 0 says that there is no file.
        case length(UInt32)
        /// The file's length, and the file.
        case content(BootFile)
        /// The bootloader is done; with `true` it still wants a length of 0.
        case end(acknowledged: Bool)
    }

    /// What to answer a question with. A file that is to be sent is counted by `sent`.
    public mutating func answer(_ message: FileMessage) -> Answer {
        // "Done" has no name, and a message without a name is "done".
        if message.command == .done { return .end(acknowledged: false) }
        if message.name.isEmpty { return .end(acknowledged: true) }
        if let (property, value) = message.metadata {
            if metadata.count < Self.memory { metadata.append((property, value)) }
            notify(.metadata(property: property, value: value))
            return .length(0)
        }
        switch message.command {
        case .size:
            announced = nil
            guard let file = find(message) else { return .length(0) }
            announced = (message.name, file)
            notify(.sizeAsked(message.text, file.size))
            return .length(file.size)
        case .read:
            let file = announced?.name == message.name ? announced?.file : find(message)
            announced = nil
            guard let file else { return .length(0) }
            return .content(file)
        case .done:
            return .end(acknowledged: false)
        }
    }

    /// To be called when a file has reached the board.
    public mutating func sent(_ file: BootFile, as message: FileMessage) {
        filesSent += 1
        bytesSent += UInt64(file.size)
        notify(.fileSent(message.text, file))
    }

    private mutating func find(_ message: FileMessage) -> BootFile? {
        let lookup: BootDirectory.Lookup =
            message.isConfined
            ? directory.find(message.name, for: chip, at: port) : .refused(.outside(message.text))
        let isNew = missing.count < Self.memory && !missing.contains(message.text)
        switch lookup {
        case .found(let file):
            return file
        case .missing:
            notify(.sizeAsked(message.text, nil))
            if isNew {
                missing.append(message.text)
                notify(.missing(message.text))
            }
        case .refused(let refusal):
            if isNew {
                missing.append(message.text)
                notify(.refused(message.text, refusal))
            }
        }
        return nil
    }
}
