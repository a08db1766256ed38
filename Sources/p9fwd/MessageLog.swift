import CommandSupport
import P9Wire
import USBLink

/// What `-v` shows of a message.
enum MessageLog {
    /// Writes one line to standard error, such as "<- Tread tag 3, 23 bytes".
    static func trace(_ direction: GadgetLink.Direction, _ frame: RawSpan) {
        guard let header = FrameHeader(decoding: frame) else { return }
        let name = MessageType(rawValue: header.type).map { "\($0)" } ?? "type \(header.type)"
        let arrow = direction == .fromBoard ? "<-" : "->"
        let capitalized = name.prefix(1).uppercased() + name.dropFirst()
        StandardError.write("\(arrow) \(capitalized) tag \(header.tag.rawValue), \(frame.byteCount) bytes\n")
    }
}
