internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// What GNU tar takes the headers for, where that is not what libarchive makes of them.
extension TarMember {
    /// Owner, mode and time by the headers, and what no two programs read alike.
    /// - Parameters:
    ///   - entry: as libarchive has it.
    ///   - globals: what the global headers so far say.
    /// - Returns: what a user should know, to go after the entry's name; nil if nothing.
    func amend(_ entry: inout ImageEntry, globals: [Record]) throws(Ambiguity) -> String? {
        let isLinkWithContent = entry.size > 0 && entry.kind == nil
        let time = try time(globals)
        entry.modificationTime = time ?? FileTime(seconds: 0, nanoseconds: 0)
        guard entry.kind != nil else {
            return isLinkWithContent
                ? "a hard link with content of its own, which other programs than pax and bsdtar don't expect: it becomes "
                    + "the file's"
                : nil
        }
        let (uid, gid) = (try owner("uid", .uid, globals), try owner("gid", .gid, globals))
        entry.owner = Owner(uid: uid ?? 0, gid: gid ?? 0)
        let hasBlank = try hasBlankNumber()
        let isBlank = uid == nil || gid == nil || time == nil || hasBlank
        return isBlank ? "a number in its header is blank: it was taken for 0" : notice(entry)
    }

    private func hasBlankNumber() throws(Ambiguity) -> Bool {
        if try number(.mode, "mode") == nil { return true }
        guard flag == UInt8(ascii: "3") || flag == UInt8(ascii: "4") else { return false }
        if try number(.deviceMajor, "device") == nil { return true }
        return try number(.deviceMinor, "device") == nil
    }

    /// - Throws: what no two programs read alike.
    func check() throws(Ambiguity) {
        try checkNames()
        _ = try size()
        guard !givesAllEntriesOne() else {
            throw Ambiguity(
                reason:
                    "a global header gives all files the same path, link, size or attributes, and programs differ on that"
            )
        }
        _ = try number(.mode, "mode")
        switch flag {
        case UInt8(ascii: "M"):
            throw Ambiguity(reason: "it is the rest of a file that begins in another volume of the archive")
        case UInt8(ascii: "N"):
            throw Ambiguity(reason: "it is a list of long names as tar wrote it before 1990")
        case UInt8(ascii: "E"):
            throw Ambiguity(reason: "it is a part of a file of Solaris tar's, which isn't known")
        case UInt8(ascii: "2")...UInt8(ascii: "6"):
            // GNU tar does so in its listing, libarchive always, Python never.
            guard value("size") ?? [] == [] || value("size") == [UInt8(ascii: "0")] else {
                throw Ambiguity(reason: "it has a size, and programs differ on whether content follows")
            }
        default: break
        }
    }

    private func checkNames() throws(Ambiguity) {
        for key: StaticString in ["path", "linkpath", "GNU.sparse.name"] {
            guard let value = value(key) else { continue }
            guard !value.contains(0) else { throw Ambiguity(reason: "its \(key) record has a NUL") }
        }
        // libarchive takes what comes last, GNU tar the record.
        for (long, record) in [(longName, value("path")), (longLink, value("linkpath"))] {
            guard let long, let record, !record.isEmpty else { continue }
            guard long.elementsEqual(record) else {
                throw Ambiguity(
                    reason: "its name stands in a pax record, and another one in an entry for GNU tar's long names"
                )
            }
        }
    }

    /// Keeps what this entry's global headers say of all that follow.
    func add(to globals: inout [Record]) {
        for record in self.globals where ["uid", "gid", "mtime"].contains(where: { record.key.elementsEqual($0.utf8) })
        {
            globals.removeAll { $0.key == record.key }
            globals.append(record)
        }
    }

    private func givesAllEntriesOne() -> Bool {
        globals.contains { record in
            ["path", "linkpath", "size"].contains { record.key.elementsEqual($0.utf8) }
                || record.key.starts(with: "GNU.sparse.".utf8) || record.key.starts(with: "SCHILY.xattr.".utf8)
                || record.key.starts(with: "SCHILY.acl.".utf8) || record.key.starts(with: "LIBARCHIVE.xattr.".utf8)
        }
    }

    /// - Returns: nil for blanks.
    private func owner(_ key: StaticString, _ field: UstarBlock.Field, _ globals: [Record]) throws(Ambiguity) -> UInt32?
    {
        let none = Ambiguity(reason: "its owner or group is not a number that Linux has")
        let number: Int64
        if let value = value(key) ?? Self.last(key, in: globals), !value.isEmpty {
            guard value.allSatisfy({ (0x30...0x39).contains($0) }),
                let parsed = Int64(String(decoding: value, as: UTF8.self))
            else { throw none }
            number = parsed
        } else {
            guard let found = try self.number(field, "owner or group") else { return nil }
            number = found
        }
        guard let owner = UInt32(exactly: number), owner != UInt32.max else { throw none }
        return owner
    }

    /// - Returns: nil for blanks.
    private func time(_ globals: [Record]) throws(Ambiguity) -> FileTime? {
        if let value = value("mtime") ?? Self.last("mtime", in: globals), !value.isEmpty {
            guard let time = Self.time(value) else { throw Ambiguity(reason: "its mtime record is not a time") }
            return time
        }
        return try number(.time, "time").map { FileTime(seconds: $0, nanoseconds: 0) }
    }

    /// A decimal number of seconds, with a fraction of any length; what is finer than a nanosecond goes to the past.
    private static func time(_ text: [UInt8]) -> FileTime? {
        let isNegative = text.first == UInt8(ascii: "-")
        let parts = text.dropFirst(isNegative ? 1 : 0)
            .split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, !whole.isEmpty, whole.allSatisfy({ (0x30...0x39).contains($0) }),
            let seconds = Int64(String(decoding: whole, as: UTF8.self))
        else { return nil }
        let fraction = parts.count > 1 ? Array(parts[1]) : []
        guard fraction.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        var nanoseconds: UInt32 = 0
        for index in 0..<9 {
            nanoseconds = nanoseconds * 10 + (index < fraction.count ? UInt32(fraction[index] - 0x30) : 0)
        }
        guard isNegative else { return FileTime(seconds: seconds, nanoseconds: nanoseconds) }
        if fraction.dropFirst(9).contains(where: { $0 != 0x30 }) { nanoseconds += 1 }
        guard nanoseconds > 0 else { return FileTime(seconds: -seconds, nanoseconds: 0) }
        return FileTime(seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds)
    }

    private func notice(_ entry: ImageEntry) -> String? {
        switch flag {
        case 0, UInt8(ascii: "0")...UInt8(ascii: "7"), UInt8(ascii: "S"): nil
        case UInt8(ascii: "D"):
            "an incremental archive's list of a directory: it becomes a directory, and nothing is removed"
        default: "its type '\(printable([flag]))' is unknown: it becomes a regular file, as POSIX has it"
        }
    }
}
