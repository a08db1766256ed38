/// The type byte of a 9P2000.L message.
///
/// A T-message is a client's request; the R-message that answers it has the next higher number, or is an `rlerror`.
/// Source: `enum p9_msg_t` in the kernel's `include/net/9p/9p.h`.
public enum MessageType: UInt8, Sendable, CaseIterable {
    case rlerror = 7
    case tstatfs = 8
    case rstatfs = 9
    case tlopen = 12
    case rlopen = 13
    case tlcreate = 14
    case rlcreate = 15
    case tsymlink = 16
    case rsymlink = 17
    case tmknod = 18
    case rmknod = 19
    case trename = 20
    case rrename = 21
    case treadlink = 22
    case rreadlink = 23
    case tgetattr = 24
    case rgetattr = 25
    case tsetattr = 26
    case rsetattr = 27
    case txattrwalk = 30
    case rxattrwalk = 31
    case txattrcreate = 32
    case rxattrcreate = 33
    case treaddir = 40
    case rreaddir = 41
    case tfsync = 50
    case rfsync = 51
    case tlock = 52
    case rlock = 53
    case tgetlock = 54
    case rgetlock = 55
    case tlink = 70
    case rlink = 71
    case tmkdir = 72
    case rmkdir = 73
    case trenameat = 74
    case rrenameat = 75
    case tunlinkat = 76
    case runlinkat = 77
    case tversion = 100
    case rversion = 101
    case tauth = 102
    case rauth = 103
    case tattach = 104
    case rattach = 105
    case tflush = 108
    case rflush = 109
    case twalk = 110
    case rwalk = 111
    case tread = 116
    case rread = 117
    case twrite = 118
    case rwrite = 119
    case tclunk = 120
    case rclunk = 121
    case tremove = 122
    case rremove = 123

    /// Whether a client sends this message.
    public var isRequest: Bool { rawValue & 1 == 0 }

    /// The R-message that answers this T-message; nil for an R-message.
    public var reply: MessageType? { isRequest ? MessageType(rawValue: rawValue + 1) : nil }
}
