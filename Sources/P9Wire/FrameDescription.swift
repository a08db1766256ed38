/// A frame as one line of text, for traces: "Twalk tag 3, 27 bytes".
public func describe(_ frame: RawSpan) -> String {
    guard let header = FrameHeader(decoding: frame) else { return "\(frame.byteCount) bytes without a header" }
    return "type \(header.type) tag \(header.tag.rawValue), \(frame.byteCount) bytes"
}
