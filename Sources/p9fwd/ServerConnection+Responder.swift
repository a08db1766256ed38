public import P9Server
public import USBLink

/// The server in this process answers a board without a hop: same thread, and file data straight into the USB buffer.
extension ServerConnection: Responder {}
