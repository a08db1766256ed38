import FakeRoot
import LinuxFiles
import ServedTree
import TestSupport
import Testing

extension FileSystemCase {
    static let attributes: [FileSystemCase] = [
        FileSystemCase(
            "a mode, with setuid, setgid and sticky bits",
            { (files) throws in
                try files.make("f")
                try files.makeDirectory("d")
            },
            change: { (files) throws in
                try files.change("f", mode: 0o6711)
                try files.change("d", mode: 0o1777)
            },
            check: { (files) throws in #expect(try files.look("f") == "0:0 106711" && files.look("d") == "0:0 41777") }
        ),
        FileSystemCase(
            "a symbolic link's mode is EOPNOTSUPP",
            { try $0.makeSymlink("l", to: [97], gid: 0) },
            change: { (files) throws in try expectOrRefuse(.EOPNOTSUPP) { try files.change("l", mode: 0o600) } }
        ),
        FileSystemCase(
            "owners of all kinds of files",
            { (files) throws in
                try files.make("f", mode: 0o644)
                try files.makeDirectory("d")
                try files.makeSymlink("l", to: [97], gid: 0)
                try files.makeNode("c", .character(major: 1, minor: 3), gid: 0, mode: 0o666)
            },
            change: { (files) throws in
                for path in ["f", "d", "l", "c"] as [TestPath] { try files.change(path, uid: 1000, gid: 65_534) }
                try files.change("f", uid: 4_294_967_294)
            },
            check: { (files) throws in
                #expect(try files.look("f") == "4294967294:65534 100644")
                #expect(try files.look("d") == "1000:65534 40755" && files.look("l") == "1000:65534 120777")
                #expect(try files.look("c") == "1000:65534 20666")
            }
        ),
        FileSystemCase(
            "the owner that chown(2) takes for none is EINVAL",
            { try $0.make("f") },
            change: { (files) throws in try expectOrRefuse(.EINVAL) { try files.change("f", uid: .max) } }
        ),
        FileSystemCase(
            "owner and mode in one change: the setuid bit stays",
            { try $0.make("f") },
            change: { try $0.change("f", uid: 6, gid: 7, mode: 0o4755) },
            check: { (files) throws in #expect(try files.look("f") == "6:7 104755") }
        ),
        FileSystemCase(
            "times, to the nanosecond, each for itself, before 1970 too",
            { try $0.make("f") },
            change: { (files) throws in
                let (early, late) = (
                    FileTime(seconds: -5, nanoseconds: 7), FileTime(seconds: 1 << 32, nanoseconds: 999_999_999)
                )
                try files.change("f", AttributeChange(accessTime: .to(late), modificationTime: .to(early)))
                let between = try files.status("f")
                #expect(between.modified == early && between.accessed == late)
                try files.change(
                    "f",
                    AttributeChange(modificationTime: .to(FileTime(seconds: 1_000_000_000, nanoseconds: 123_456_789)))
                )
            },
            check: { (files) throws in
                let seen = try files.status("f")
                #expect(seen.modified == FileTime(seconds: 1_000_000_000, nanoseconds: 123_456_789))
                #expect(seen.accessed == FileTime(seconds: 1 << 32, nanoseconds: 999_999_999))
            }
        ),
        FileSystemCase(
            "a time of now",
            { (files) throws in
                try files.make("f")
                try files.change("f", AttributeChange(modificationTime: .to(FileTime(seconds: 1, nanoseconds: 0))))
            },
            change: { try $0.change("f", AttributeChange(modificationTime: .now)) },
            check: { (files) throws in #expect(try files.status("f").modified.seconds > 1_500_000_000) }
        ),
        FileSystemCase(
            "attributes of every class are set, read and listed",
            { (files) throws in
                try files.make("f")
                try files.makeDirectory("d")
            },
            change: { (files) throws in
                for path in ["f", "d"] as [TestPath] {
                    for name in classes { try files.setAttribute(name, of: path, to: Array(name.utf8)) }
                }
            },
            check: { (files) throws in
                for path in ["f", "d"] as [TestPath] {
                    #expect(try files.attributeNames(of: path) == classes)
                    for name in classes { #expect(try files.attribute(name, of: path) == Array(name.utf8)) }
                }
            }
        ),
        FileSystemCase(
            "an attribute of a symbolic link, as SELinux sets it",
            { try $0.makeSymlink("l", to: [97], gid: 0) },
            change: { try $0.setAttribute("security.selinux", of: "l", to: [1, 2, 0]) },
            check: { (files) throws in
                #expect(try files.attribute("security.selinux", of: "l") == [1, 2, 0])
                #expect(try files.attributeNames(of: "l") == ["security.selinux"])
            }
        ),
        FileSystemCase(
            "an attribute is replaced, by an empty value too",
            { (files) throws in
                try files.make("f")
                try files.setAttribute("user.a", of: "f", to: [1, 2, 3])
                try files.setAttribute("user.b", of: "f", to: [1, 2, 3])
            },
            change: { (files) throws in
                try files.setAttribute("user.a", of: "f", to: [4, 5])
                try files.setAttribute("user.b", of: "f", to: [])
            },
            check: { (files) throws in
                #expect(try files.attribute("user.a", of: "f") == [4, 5] && files.attribute("user.b", of: "f") == [])
            }
        ),
        FileSystemCase(
            "an attribute only if it is new, or only if it is there",
            { (files) throws in
                try files.make("f")
                try files.setAttribute("user.a", of: "f", to: [1])
            },
            change: { (files) throws in
                let (create, replace): (CInt, CInt) = (1, 2)
                try expectOrRefuse(.EEXIST) { try files.setAttribute("user.a", of: "f", to: [2], flags: create) }
                try expectOrRefuse(.ENODATA) { try files.setAttribute("user.b", of: "f", to: [2], flags: replace) }
                try files.setAttribute("user.a", of: "f", to: [3], flags: replace)
                try files.setAttribute("user.c", of: "f", to: [4], flags: create)
            },
            check: { (files) throws in
                #expect(try files.attribute("user.a", of: "f") == [3] && files.attribute("user.c", of: "f") == [4])
            }
        ),
        FileSystemCase(
            "an attribute of 64 KiB, and none that is larger",
            { try $0.make("f") },
            change: { (files) throws in
                try files.setAttribute("user.big", of: "f", to: [UInt8](repeating: 7, count: 65_536))
                expect(.E2BIG) { try files.setAttribute("user.big", of: "f", to: [UInt8](repeating: 8, count: 65_537)) }
            },
            check: { (files) throws in
                #expect(try files.attribute("user.big", of: "f") == [UInt8](repeating: 7, count: 65_536))
            }
        ),
        FileSystemCase(
            "a removed attribute is gone, and can't be removed again",
            { (files) throws in
                try files.make("f")
                try files.setAttribute("user.a", of: "f", to: [1])
                try files.setAttribute("trusted.b", of: "f", to: [1])
            },
            change: { (files) throws in
                try files.removeAttribute("user.a", of: "f")
                expect(.ENODATA) { try files.removeAttribute("user.a", of: "f") }
            },
            check: { (files) throws in #expect(try files.attributeNames(of: "f") == ["trusted.b"]) }
        ),
        FileSystemCase(
            "what keeps the labels is not an attribute of the file",
            { try $0.by(uid: 5).make("f", mode: 0o4755) },
            change: { (files) throws in
                let label = "user.containers.override_stat"
                try expectOrRefuse(.EPERM) { try files.setAttribute(label, of: "f", to: Array("0:0:0644".utf8)) }
                try expectOrRefuse(.EPERM) { try files.removeAttribute(label, of: "f") }
            },
            check: { (files) throws in
                #expect(try files.attributeNames(of: "f") == [] && files.look("f") == "5:0 104755")
                expect(.ENODATA) { _ = try files.attribute("user.containers.override_stat", of: "f") }
            }
        ),
        FileSystemCase(
            "a user's attribute of a device is EPERM",
            { try $0.makeNode("c", .character(major: 1, minor: 3), gid: 0, mode: 0o666) },
            change: { (files) throws in
                try expectOrRefuse(.EPERM) { try files.setAttribute("user.a", of: "c", to: [1]) }
            }
        ),
        FileSystemCase(
            "capabilities stay through a rename, a second name and a chmod",
            { try $0.make("f", mode: 0o755) },
            change: { (files) throws in
                try files.setAttribute("security.capability", of: "f", to: capability)
                try files.rename("f", to: "g")
                try files.link("g", as: "h")
                try files.change("h", mode: 0o700)
            },
            check: { (files) throws in
                for path in ["g", "h"] as [TestPath] {
                    #expect(try files.attribute("security.capability", of: path) == capability)
                }
            }
        ),
        FileSystemCase(
            "an access control list sets the mode, and chmod its mask",
            { try $0.make("f", mode: 0o644) },
            change: { (files) throws in
                try files.setAttribute(accessList, of: "f", to: list(owner: 6, user: 7, group: 4, mask: 7, other: 0))
                #expect(try files.look("f") == "0:0 100670")
                try files.change("f", mode: 0o751)
            },
            check: { (files) throws in
                #expect(try files.look("f") == "0:0 100751")
                #expect(
                    try files.attribute(accessList, of: "f") == list(owner: 7, user: 7, group: 4, mask: 5, other: 1)
                )
            }
        ),
        FileSystemCase(
            "a directory's default access control list",
            { try $0.makeDirectory("d") },
            change: {
                try $0.setAttribute(defaultList, of: "d", to: list(owner: 7, user: 5, group: 5, mask: 5, other: 0))
            },
            check: { (files) throws in
                #expect(
                    try files.attribute(defaultList, of: "d") == list(owner: 7, user: 5, group: 5, mask: 5, other: 0)
                )
                #expect(try files.look("d") == "0:0 40755")
            }
        ),
    ]

    private static let classes = ["security.ima", "trusted.x", "user.y"]
    private static let accessList = "system.posix_acl_access"
    private static let defaultList = "system.posix_acl_default"

    /// With an entry of the user 1000. Source: `include/uapi/linux/posix_acl_xattr.h` of the kernel.
    private static func list(owner: UInt16, user: UInt16, group: UInt16, mask: UInt16, other: UInt16) -> [UInt8] {
        func entry(_ tag: UInt16, _ permissions: UInt16, _ id: UInt32 = .max) -> [UInt8] {
            littleEndian(tag) + littleEndian(permissions) + littleEndian(id)
        }
        return littleEndian(UInt32(2)) + entry(1, owner) + entry(2, user, 1000) + entry(4, group) + entry(16, mask)
            + entry(32, other)
    }
}
