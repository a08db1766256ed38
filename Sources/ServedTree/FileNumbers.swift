/// The numbers by which clients tell an export's files apart: 9P's qid paths, FUSE's inode numbers.
///
/// A file of the export's own file system has its inode number, if that fits into 48 bits, so that people can read it. All
/// others (something is mounted in the tree; mergerfs, Lustre or overlayfs, whose inode numbers fill 64 bits) get a hash of
/// device and inode number, with the highest bit set so that it differs from every inode number. This is a pure function: a
/// file has the same number in every server, also after a restart, as long as its file system has the same device number:
/// those without a disk, such as overlayfs, may get another one when they are mounted anew.
///
/// Two of n hashed files are alike with a probability of n² / 2⁶⁴: with a million files, once in 18 million exports. Two such
/// files are one to programs that compare inode numbers (`tar`, `du` and `cp -a` of files with several names, `find`
/// of directories that it takes for a loop). Linux' 9P client with a cache still tells them apart by the generation
/// (`FileStatus.generation`), so neither gets the other's content.
///
/// A board of 32 bits folds the two halves of a number for its programs (`v9fs_qid2ino` in the kernel's `fs/9p/v9fs_vfs.h`), and
/// there two of 10,000 hashed files are alike once in 86 exports; its kernel still compares all 64 bits.
struct FileNumbers: Sendable {
    /// Inode numbers of the export's own file system with at most this many bits stand for themselves.
    static let inodeBits: UInt64 = 48
    private static let hashBit: UInt64 = 1 << 63

    let exportDevice: UInt64

    /// - Parameters:
    ///   - device: the number of the file system that holds the file (`st_dev`).
    ///   - inode: the file's inode number there.
    func number(device: UInt64, inode: UInt64) -> UInt64 {
        if device == exportDevice, inode >> Self.inodeBits == 0 { return inode }
        return Self.mixed(inode &+ Self.mixed(device)) | Self.hashBit
    }

    /// The last steps of MurmurHash3: each bit of the result depends on all of the number.
    private static func mixed(_ number: UInt64) -> UInt64 {
        var mixed = number
        mixed = (mixed ^ mixed >> 33) &* 0xff51_afd7_ed55_8ccd
        mixed = (mixed ^ mixed >> 33) &* 0xc4ce_b9fe_1a85_ec53
        return mixed ^ mixed >> 33
    }
}
