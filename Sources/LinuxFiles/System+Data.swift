internal import CLinux
internal import Glibc

extension System {
    /// Reads at an offset until the buffer is full or the file ends.
    ///
    /// The corresponding C function is `pread`.
    /// - Throws: as `pread(2)`, only if no byte was read.
    public static func read(
        _ descriptor: CInt,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int64
    ) throws(Errno) -> Int {
        try transferAll(buffer.count) { done throws(Errno) in
            try retrying {
                pread(
                    descriptor,
                    buffer.baseAddress.map { $0 + done },
                    buffer.count - done,
                    Int(offset) + done
                )
            }
        }
    }

    /// Writes all of a span at an offset.
    ///
    /// The corresponding C function is `pwrite`.
    /// - Returns: bytes written; fewer only if the file system is full or a limit was reached midway.
    /// - Throws: as `pwrite(2)`, only if no byte was written.
    public static func write(_ descriptor: CInt, _ data: RawSpan, at offset: Int64) throws(Errno) -> Int {
        try data.withUnsafeBytes { (buffer) throws(Errno) in
            try transferAll(buffer.count) { done throws(Errno) in
                try retrying {
                    pwrite(
                        descriptor,
                        buffer.baseAddress.map { $0 + done },
                        buffer.count - done,
                        Int(offset) + done
                    )
                }
            }
        }
    }

    /// Where data begins, at a position in bytes or behind it; nil if only a hole follows.
    ///
    /// The corresponding C function is `lseek` with SEEK_DATA; the descriptor's own position moves.
    public static func seek(_ descriptor: CInt, toDataFrom position: UInt64) throws(Errno) -> UInt64? {
        do throws(Errno) {
            return UInt64(try retrying { lseek(descriptor, Int(position), clinux_SEEK_DATA) })
        } catch .ENXIO {
            return nil
        }
    }

    /// Where the next hole begins, the end of the file at the latest; in bytes.
    ///
    /// The corresponding C function is `lseek` with SEEK_HOLE; the descriptor's own position moves.
    public static func seek(_ descriptor: CInt, toHoleFrom position: UInt64) throws(Errno) -> UInt64 {
        UInt64(try retrying { lseek(descriptor, Int(position), clinux_SEEK_HOLE) })
    }

    /// Repeats a partial transfer until it is whole, comes to an end, or fails; a failure after some bytes went
    /// through is left for the next call to meet.
    private static func transferAll(
        _ count: Int,
        _ transfer: (Int) throws(Errno) -> Int
    ) throws(Errno) -> Int {
        var done = 0
        while done < count {
            do throws(Errno) {
                let moved = try transfer(done)
                if moved == 0 { break }
                done += moved
            } catch {
                if done == 0 { throw error }
                break
            }
        }
        return done
    }

    /// The corresponding C functions are `fsync` and `fdatasync`.
    public static func synchronize(_ descriptor: CInt, dataOnly: Bool) throws(Errno) {
        _ = try retrying { dataOnly ? fdatasync(descriptor) : fsync(descriptor) }
    }

    /// Writes a directory's names to the disk. Does nothing on file systems that can't: VirtualBox's shared folders, CIFS of older
    /// kernels.
    ///
    /// The corresponding C function is `fsync`. Source of the EINVAL: `vfs_fsync_range` in the kernel's `fs/sync.c`.
    /// - Throws: as `fsync(2)`, except `EINVAL`.
    public static func synchronizeDirectory(_ descriptor: CInt) throws(Errno) {
        do throws(Errno) {
            try synchronize(descriptor, dataOnly: false)
        } catch .EINVAL {
            // This file system can't do it.
        }
    }

    /// Writes all that the file system with this file holds in memory to the disk.
    ///
    /// The corresponding C function is `syncfs`.
    public static func synchronizeFileSystem(_ descriptor: CInt) throws(Errno) {
        _ = try retrying { clinux_syncfs(descriptor) }
    }

    /// Has a part of a file's content written to the disk, without what is needed to find it there: an fsync must follow.
    /// - Parameters:
    ///   - part: bytes of the file.
    ///   - waits: whether to wait until it is there.
    /// - Throws: `ESPIPE` unless it is a file, `EINVAL` and `ENOSYS` where the file system can't do it.
    ///
    /// The corresponding C function is `sync_file_range`.
    public static func writeBack(_ descriptor: CInt, _ part: Range<UInt64>, waits: Bool) throws(Errno) {
        // The kernel takes a count of 0 for "to the end".
        guard !part.isEmpty else { return }
        // SYNC_FILE_RANGE_WRITE, and around it WAIT_BEFORE and WAIT_AFTER.
        let flags: UInt32 = waits ? 1 | 2 | 4 : 2
        _ = try retrying {
            clinux_sync_file_range(descriptor, Int64(part.lowerBound), Int64(part.count), flags)
        }
    }

    /// Moves the position of an open directory or file.
    ///
    /// The corresponding C function is `lseek` with SEEK_SET.
    public static func seek(_ descriptor: CInt, to offset: Int64) throws(Errno) {
        _ = try retrying { lseek(descriptor, Int(offset), SEEK_SET) }
    }

    /// Fills a buffer with `struct linux_dirent64` records.
    /// - Returns: bytes filled; 0 at the end of the directory.
    ///
    /// The corresponding system call is `getdents64`.
    public static func readDirectory(
        _ descriptor: CInt,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try retrying { clinux_getdents64(descriptor, buffer.baseAddress, buffer.count) }
    }

    /// What `fstatfs(3)` tells of the file system that holds a file.
    public static func fileSystemStatus(of descriptor: CInt) throws(Errno) -> FileSystemStatus {
        var status = statfs()
        _ = try retrying { fstatfs(descriptor, &status) }
        return FileSystemStatus(
            type: UInt64(UInt32(truncatingIfNeeded: status.f_type)),
            blockSize: UInt32(clamping: status.f_bsize),
            blocks: UInt64(status.f_blocks),
            blocksFree: UInt64(status.f_bfree),
            blocksAvailable: UInt64(status.f_bavail),
            files: UInt64(status.f_files),
            filesFree: UInt64(status.f_ffree),
            id: UInt64(UInt32(bitPattern: status.f_fsid.__val.0))
                | UInt64(UInt32(bitPattern: status.f_fsid.__val.1)) << 32,
            nameLength: UInt32(clamping: status.f_namelen)
        )
    }
}

/// The fields of `statfs(2)`; blocks are of `blockSize` bytes.
public struct FileSystemStatus: Sendable {
    /// The magic number, as in linux/magic.h.
    public var type: UInt64
    /// In bytes.
    public var blockSize: UInt32
    /// All blocks.
    public var blocks: UInt64
    /// Free blocks, also those for root only.
    public var blocksFree: UInt64
    /// Blocks that are free for everybody.
    public var blocksAvailable: UInt64
    /// All inodes.
    public var files: UInt64
    /// Free inodes.
    public var filesFree: UInt64
    /// What tells the file system from others.
    public var id: UInt64
    /// The longest name in bytes.
    public var nameLength: UInt32
}
