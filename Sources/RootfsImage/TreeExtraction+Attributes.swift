internal import FakeRoot
internal import LinuxFiles

extension TreeExtraction {
    /// Keeps an entry's extended attributes; those that can't be kept are counted.
    func setAttributes(of descriptor: CInt, from entry: ImageEntry) throws(Errno) {
        for attribute in entry.attributes {
            let (name, value) = (attribute.name.span.bytes, attribute.value.span.bytes)
            do throws(Errno) {
                try tree.setAttribute(name, of: descriptor, to: value, flags: 0)
                summary.attributes += 1
            } catch .EPERM where entry.kind == .file || entry.kind == .directory {
                // A label: what the archive's header says of owner and mode is what counts.
                summary.losses.hiddenAttributes += 1
            } catch .EPERM {
                // Linux has no user.* attributes of symbolic links and special files.
                summary.losses.attributes += 1
            } catch .EOPNOTSUPP, .E2BIG, .ERANGE, .EINVAL {
                summary.losses.attributes += 1
            }
        }
    }
}
