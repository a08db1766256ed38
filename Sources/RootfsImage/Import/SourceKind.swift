internal import Archives

/// What a root filesystem is imported from.
public enum SourceKind: String, CaseIterable, Sendable {
    /// A tar archive, `docker export`'s among them.
    case tar
    /// A cpio archive; an initramfs.
    case cpio
    /// An OCI image layout: a directory, or a tar archive of one.
    case oci
    /// What `docker save` writes: a tar archive with manifest.json, or its directory.
    case docker
    case squashfs
    /// An ext2, ext3 or ext4 file system, also in a partition of a disk image.
    case ext4
    /// A directory with only what the host knows of its files.
    case directory = "dir"
    /// A directory and Yocto's pseudo's database.
    case pseudo
    /// A directory and fakeroot's save file.
    case fakeroot
    /// A directory that `rsync --fake-super` wrote.
    case rsync
    /// A directory that QEMU shared with security_model=mapped-xattr.
    case virtfs
    /// A directory that QEMU shared with security_model=mapped-file.
    case virtfsFile = "virtfs-file"
    /// A directory that umoci or PRoot unpacked.
    case rootlessContainers = "rootlesscontainers"
    /// A directory labelled as we, fuse-overlayfs and containers/storage do it.
    case overrideStat = "override-stat"
    /// A directory and a device table, Buildroot's for one.
    case deviceTable = "device-table"

    /// To go after "this is".
    public var description: String {
        switch self {
        case .tar: "a tar archive"
        case .cpio: "a cpio archive"
        case .oci: "an OCI image layout"
        case .docker: "an image as docker save writes it"
        case .squashfs: "a squashfs image"
        case .ext4: "an ext2, ext3 or ext4 image, or a disk image"
        case .directory: "a directory"
        case .pseudo: "a directory with pseudo's database"
        case .fakeroot: "a directory with fakeroot's save file"
        case .rsync: "a directory that rsync --fake-super wrote"
        case .virtfs: "a directory with QEMU's mapped-xattr attributes"
        case .virtfsFile: "a directory with QEMU's mapped-file metadata"
        case .rootlessContainers: "a directory with user.rootlesscontainers attributes"
        case .overrideStat: "a directory with user.containers.override_stat labels"
        case .deviceTable: "a directory with a device table"
        }
    }

    /// Whether it is a directory and metadata of another tool.
    public var isForeignDirectory: Bool {
        switch self {
        case .tar, .cpio, .oci, .docker, .squashfs, .ext4: false
        default: true
        }
    }

    /// Everything that can be imported, for help and messages.
    public static var list: String {
        let files = allCases.filter { !$0.isForeignDirectory }.map(\.plural)
        let directories = allCases.filter(\.isForeignDirectory).filter { $0 != .directory }.map(\.rawValue)
        return files.joined(separator: ", ") + ", as they are or compressed with \(CompressedFormat.list); "
            + "directories, plain or with the metadata of: \(directories.joined(separator: ", "))"
    }

    private var plural: String {
        switch self {
        case .tar: "tar archives"
        case .cpio: "cpio archives (an initramfs)"
        case .oci: "OCI images"
        case .docker: "images of docker save"
        case .squashfs: "squashfs images"
        case .ext4: "ext2, ext3 and ext4 images, and disk images with one"
        default: description
        }
    }
}

extension SourceSignature {
    /// The kind it is imported as; nil if it can't be.
    var kind: SourceKind? {
        switch self {
        case .tar: .tar
        case .cpio: .cpio
        case .squashfs: .squashfs
        case .ext4, .disk: .ext4
        case .other, .unknown: nil
        }
    }
}
