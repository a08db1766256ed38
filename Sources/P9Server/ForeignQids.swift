/// Qid paths for files outside the export's own file system (something is mounted in the tree), or with inode numbers
/// that fill all 64 bits (mergerfs, Lustre, overlayfs over several file systems).
///
/// The upper 16 bits tell the file system, the lower 48 are the inode number. What doesn't fit so gets a serial number:
/// small, as a board of 32 bits folds the two halves. A file that was seen keeps its path, so serials are remembered;
/// from `maximumSerials` on a hash of 63 bits serves: in a million further files two are alike once in ten million
/// times.
struct ForeignQids {
    /// An inode number below 2^48 stays readable in the qid; the bits above tell the file system.
    static let inodeBits: UInt64 = 48
    private static let serialPrefix: UInt64 = 0x7fff << inodeBits
    private static let hashBit: UInt64 = 1 << 63
    /// File systems that get a prefix of their own, from 1 on; 0 is the export's.
    private static let maximumDevices = 0x7ffe
    /// Some 64 MiB.
    static let maximumSerials = 1 << 20

    private struct Key: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    private let maximumSerials: Int
    private var devices: [UInt64: UInt64] = [:]
    private var serials: [Key: UInt64] = [:]

    init(maximumSerials: Int = Self.maximumSerials) {
        self.maximumSerials = maximumSerials
    }

    mutating func path(device: UInt64, inode: UInt64) -> UInt64 {
        if inode >> Self.inodeBits == 0, let index = index(of: device) { return index << Self.inodeBits | inode }
        let key = Key(device: device, inode: inode)
        if let serial = serials[key] { return Self.serialPrefix | serial }
        guard serials.count < maximumSerials else { return Self.hash(key) }
        let serial = UInt64(serials.count)
        serials[key] = serial
        return Self.serialPrefix | serial
    }

    private mutating func index(of device: UInt64) -> UInt64? {
        if let index = devices[device] { return index }
        guard devices.count < Self.maximumDevices else { return nil }
        let index = UInt64(devices.count + 1)
        devices[device] = index
        return index
    }

    /// The same for a file as long as the process lives, and for two files hardly ever.
    private static func hash(_ key: Key) -> UInt64 {
        mixed(key.inode &+ mixed(key.device)) | hashBit
    }

    /// The last steps of MurmurHash3: each bit of the result depends on all of the number.
    private static func mixed(_ number: UInt64) -> UInt64 {
        var mixed = number
        mixed = (mixed ^ mixed >> 33) &* 0xff51_afd7_ed55_8ccd
        mixed = (mixed ^ mixed >> 33) &* 0xc4ce_b9fe_1a85_ec53
        return mixed ^ mixed >> 33
    }
}
