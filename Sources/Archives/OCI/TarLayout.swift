internal import CArchive
package import ImageEntries
package import LinuxFiles

/// A container image in a tar archive that is not compressed, whose files are read where they lie.
package final class TarLayout: LayoutFiles {
    private enum Place {
        case file(Range<UInt64>)
        /// A symbolic or hard link, to a path in the archive.
        case link(String)
    }

    /// More files than any image has; its layers' files don't count.
    private static let maxFiles = 100_000

    package let name: String
    private let file: OwnedDescriptor
    private var places: [String: Place] = [:]
    package private(set) var notices: [String] = []

    /// Goes through the archive's headers.
    /// - Parameter file: a regular file.
    /// - Throws: `badArchive` for a damaged archive, `system` without memory or if the file can't be read.
    package init(_ file: consuming OwnedDescriptor, name: String) throws(ImageError) {
        self.name = name
        self.file = file
        let size = try ImageError.attempt("can't read \(name)") { [raw = self.file.raw] () throws(Errno) in
            try System.status(of: raw).size
        }
        let reader = HeaderReader(self.file.raw)
        guard let archive = archive_read_new() else { throw ImageError(.system, "no memory to read the archive") }
        defer { archive_read_free(archive) }
        try Self.open(archive, reader, name)
        while true {
            var raw: OpaquePointer?
            let code = archive_read_next_header(archive, &raw)
            if code == ARCHIVE_EOF { break }
            guard code == ARCHIVE_OK || code == ARCHIVE_WARN, let raw else {
                let text = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
                throw .damaged(name, text, at: reader.position)
            }
            let start = UInt64(clamping: archive_filter_bytes(archive, 0))
            try add(raw, start, archiveSize: size)
        }
        extendLifetime(reader)
    }

    private static func open(_ archive: OpaquePointer, _ reader: HeaderReader, _ name: String) throws(ImageError) {
        archive_read_support_filter_none(archive)
        archive_read_support_format_tar(archive)
        archive_read_set_read_callback(archive) { _, context, block in
            guard let context, let block else { return Int(ARCHIVE_FATAL) }
            return Unmanaged<HeaderReader>.fromOpaque(context).takeUnretainedValue().read(&block.pointee)
        }
        archive_read_set_skip_callback(archive) { _, context, count in
            guard let context else { return 0 }
            return Unmanaged<HeaderReader>.fromOpaque(context).takeUnretainedValue().skip(count)
        }
        archive_read_set_callback_data(archive, Unmanaged.passUnretained(reader).toOpaque())
        guard archive_read_open1(archive) == ARCHIVE_OK else {
            throw ImageError(.badArchive, "\(name) is not a tar archive")
        }
    }

    private func add(_ raw: OpaquePointer, _ start: UInt64, archiveSize: UInt64) throws(ImageError) {
        let entry = ArchiveEntry(raw)
        let path = Self.normalized(String(decoding: entry.pathname, as: UTF8.self))
        guard let path else { return }
        let place: Place?
        if let target = archive_entry_hardlink(raw) {
            place = Self.normalized(String(cString: target)).map(Place.link)
        } else {
            switch FileFormat(mode: UInt32(archive_entry_filetype(raw))) {
            case .regular where archive_entry_sparse_count(raw) == 0:
                let size = UInt64(max(archive_entry_size(raw), 0))
                guard start <= archiveSize, size <= archiveSize - start else {
                    throw .damaged(name, "\(printable(path.utf8)) is cut short", at: archiveSize)
                }
                place = .file(start..<start + size)
            case .symlink:
                // Relative to the directory that it is in; docker save made such links to layers that it had written.
                let directory = path.split(separator: "/").dropLast().joined(separator: "/")
                let target = archive_entry_symlink(raw).map { String(cString: $0) } ?? ""
                place = Self.normalized(directory + "/" + target).map(Place.link)
            default: place = nil
            }
        }
        guard let place else { return }
        // GNU tar writes a link to the file itself where its command names the file twice.
        if case .link(path) = place, places[path] != nil { return }
        if places.updateValue(place, forKey: path) != nil, ["index.json", "manifest.json"].contains(path) {
            // No digest tells which of them is meant. Docker unpacks the archive first, skopeo takes what it finds first.
            notices.append("\(name) has \(path) more than once: the last one counts, as with tar and docker load")
        }
        guard places.count <= Self.maxFiles else { throw .badImage(name, "it has more than \(Self.maxFiles) files") }
    }

    /// Without "." and "..", or nil if it leads out.
    private static func normalized(_ path: String) -> String? {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            guard part == ".." else {
                parts.append(part)
                continue
            }
            guard parts.popLast() != nil else { return nil }
        }
        return parts.isEmpty ? nil : parts.joined(separator: "/")
    }

    package func open(_ path: String) throws(ImageError) -> LayoutFile? {
        var path = path
        for _ in 0..<8 {
            switch places[path] {
            case nil: return nil
            case .link(let target)?: path = target
            case .file(let part)?:
                let file = try ImageError.attempt("can't read \(name)") { [raw = self.file.raw] () throws(Errno) in
                    try System.duplicate(raw)
                }
                return LayoutFile(descriptor: file, part: part)
            }
        }
        throw .badImage(name, "its links lead in a circle")
    }

    package func names(in directory: String) -> [String] {
        let prefix = directory.isEmpty ? "" : directory + "/"
        var names: Set<String> = []
        for path in places.keys where path.hasPrefix(prefix) {
            if let name = path.dropFirst(prefix.count).split(separator: "/").first { names.insert(String(name)) }
        }
        return Array(names)
    }

    /// Gives libarchive the archive's blocks, from the beginning whatever was read before, and skips content.
    private final class HeaderReader {
        private let file: CInt
        private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 16)
        private(set) var position: UInt64 = 0

        init(_ file: CInt) {
            self.file = file
        }

        deinit {
            buffer.deallocate()
        }

        func read(_ block: inout UnsafeRawPointer?) -> Int {
            guard let count = try? System.read(file, into: buffer, at: Int64(clamping: position)) else {
                return Int(ARCHIVE_FATAL)
            }
            position += UInt64(count)
            block = UnsafeRawPointer(buffer.baseAddress)
            return count
        }

        func skip(_ count: Int64) -> Int64 {
            guard count > 0 else { return 0 }
            position += UInt64(count)
            return count
        }
    }
}
