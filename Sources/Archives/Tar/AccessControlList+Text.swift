internal import FakeRoot

extension AccessControlList {
    /// The short text form with numbers for names: "user::rwx,user:1000:r-x,group::r-x,mask::r-x,other::---".
    ///
    /// Source: `acl(5)`, "ACL TEXT FORMS".
    var text: String {
        entries.map { entry in
            let tag =
                switch entry.tag {
                case .owner, .user: "user"
                case .owningGroup, .group: "group"
                case .mask: "mask"
                case .other: "other"
                }
            let permissions = [(4, "r"), (2, "w"), (1, "x")].map { entry.permissions & $0.0 != 0 ? $0.1 : "-" }
            return "\(tag):\(entry.tag.hasID ? String(entry.id) : ""):\(permissions.joined())"
        }
        .joined(separator: ",")
    }
}
