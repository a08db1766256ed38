/// What a bootloader asks for: command[4] name[256], the name ended by a NUL.
public struct FileMessage: Hashable, Sendable {
    /// Bytes of a message.
    public static let size = 260

    /// What the bootloader wants.
    public enum Command: Int32, Sendable {
        /// How many bytes the file has.
        case size = 0
        /// The file.
        case read = 1
        /// Nothing more.
        case done = 2
    }

    /// What the bootloader wants.
    public var command: Command
    /// Without the NUL; if it is empty the bootloader is done, with any command.
    public var name: [UInt8]

    /// What is wrong with a message.
    public enum Malformation: Error, Hashable, Sendable {
        /// There is not even a command.
        case truncated
        case unknownCommand(Int32)
        /// The name has no NUL.
        case endlessName
    }

    /// Reads a bootloader's request.
    /// - Parameter bytes: as many as the board sent. A message may end early, if its name does.
    /// - Throws: `.truncated` below 4 bytes, `.unknownCommand`, `.endlessName` for a name without a NUL.
    public init(decoding bytes: RawSpan) throws(Malformation) {
        guard bytes.byteCount >= 4 else { throw .truncated }
        let number = Int32(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: Int32.self))
        guard let command = Command(rawValue: number) else { throw .unknownCommand(number) }
        self.command = command
        name = []
        for offset in 4..<min(bytes.byteCount, Self.size) {
            let byte = bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            if byte == 0 { return }
            name.append(byte)
        }
        if !name.isEmpty { throw .endlessName }
    }

    /// The name for messages.
    public var text: String { String(decoding: name, as: UTF8.self) }

    /// What a name tells that begins with `*` and asks for no file: "*PROPERTY*VALUE"; nil for all others.
    public var metadata: (property: String, value: String)? {
        guard name.first == UInt8(ascii: "*") else { return nil }
        let parts = name.dropFirst().split(separator: UInt8(ascii: "*"), maxSplits: 1)
            .map { String(decoding: $0, as: UTF8.self) }
        return (parts.first ?? "", parts.count > 1 ? parts[1] : "")
    }

    /// Whether the name stays where it is looked for: not absolute, and without "..".
    public var isConfined: Bool {
        name.first != UInt8(ascii: "/")
            && !name.split(separator: UInt8(ascii: "/")).contains { $0.elementsEqual([0x2e, 0x2e]) }
    }
}
