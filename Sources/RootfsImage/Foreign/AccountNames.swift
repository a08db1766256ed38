internal import LinuxFiles

/// The numbers of users and groups in the `etc/passwd` and `etc/group` of a tree.
struct AccountNames {
    private var numbers: [[UInt8]: UInt32] = [:]

    /// - Parameter file: "etc/passwd" or "etc/group"; if there is none, no name has a number.
    init(_ file: StaticString, beneath root: CInt) throws(ImageError) {
        let opened: OwnedDescriptor
        do throws(Errno) {
            let path = UnsafeRawPointer(file.utf8Start).assumingMemoryBound(to: CChar.self)
            opened = try System.open(beneath: root, path, [.readOnly, .nonBlocking])
        } catch .ENOENT, .ENOTDIR, .ELOOP {
            return
        } catch {
            throw ImageError("can't open \(file) of the directory", error)
        }
        for line in try readMetadata(opened.raw, "\(file) of the directory", limit: 16 << 20)
            .split(separator: UInt8(ascii: "\n"))
        {
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard fields.count >= 3 else { continue }
            var scanner = ByteScanner(fields[2])
            guard let number = scanner.takeNumber(UInt32.self), scanner.isAtEnd else { continue }
            let name = Array(fields[0])
            // As getpwnam(3): the first line counts.
            if numbers[name] == nil { numbers[name] = number }
        }
    }

    subscript(name: ArraySlice<UInt8>) -> UInt32? { numbers[Array(name)] }
}
