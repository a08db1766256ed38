public import P9Client
public import USBLink

/// A server that is reached over a socket answers a board.
extension RequestForwarder: Responder {}
