internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

extension TreeExtraction {
    /// Keeps an entry's extended attributes; those that can't be kept are counted.
    func setAttributes(of descriptor: CInt, from entry: ImageEntry) throws(Errno) {
        for attribute in entry.attributes {
            guard !HostAttributes.isToolName(attribute.name) else {
                // A label: what the archive's header says of owner and mode is what counts.
                summary.losses.hiddenAttributes += 1
                continue
            }
            let (name, value) = (attribute.name.span.bytes, attribute.value.span.bytes)
            do throws(Errno) {
                try tree.setAttribute(name, of: descriptor, to: value, flags: 0)
                summary.attributes += 1
            } catch .EPERM, .EOPNOTSUPP, .E2BIG, .ERANGE, .EINVAL {
                // Linux has no such attributes there: user.* of symbolic links and special files, for one.
                summary.losses.attributes += 1
            }
        }
    }
}
