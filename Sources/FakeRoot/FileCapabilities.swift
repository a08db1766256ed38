/// The capabilities of a program's file: the value of `security.capability`.
///
/// Source: `struct vfs_cap_data` of linux/capability.h, capabilities(7); the text is cap_from_text(3)'s.
public struct FileCapabilities: Hashable, Sendable {
    /// A bit per capability, as CAP_CHOWN is bit 0.
    public var permitted: UInt64
    /// The inheritable ones; a bit per capability.
    public var inheritable: UInt64
    /// Whether the program has the capabilities in force from the start: one bit for all of them.
    public var isEffective: Bool
    /// The uid that is root in the user namespace the capabilities are for; 0 for all but revision 3.
    public var rootID: UInt32

    /// Capabilities, with a bit for each.
    public init(permitted: UInt64 = 0, inheritable: UInt64 = 0, isEffective: Bool = false, rootID: UInt32 = 0) {
        self.permitted = permitted
        self.inheritable = inheritable
        self.isEffective = isEffective
        self.rootID = rootID
    }

    // MARK: The attribute's value

    private static let revisionMask: UInt32 = 0xff00_0000
    private static let effectiveFlag: UInt32 = 1

    /// Reads a value of revision 1, 2 or 3.
    /// - Returns: nil for a malformed value.
    public init?(_ value: [UInt8]) {
        guard value.count >= 4, value.count % 4 == 0 else { return nil }
        let words = stride(from: 0, to: value.count, by: 4).map { start in
            value[start..<start + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        func pair(_ low: UInt32, _ high: UInt32) -> UInt64 { UInt64(high) << 32 | UInt64(low) }
        let isEffective = words[0] & Self.effectiveFlag != 0
        switch (words[0] & Self.revisionMask, words.count) {
        case (0x0100_0000, 3):
            self.init(permitted: UInt64(words[1]), inheritable: UInt64(words[2]), isEffective: isEffective)
        case (0x0200_0000, 5):
            self.init(
                permitted: pair(words[1], words[3]),
                inheritable: pair(words[2], words[4]),
                isEffective: isEffective
            )
        case (0x0300_0000, 6):
            self.init(
                permitted: pair(words[1], words[3]),
                inheritable: pair(words[2], words[4]),
                isEffective: isEffective,
                rootID: words[5]
            )
        default: return nil
        }
    }

    /// The value of revision 2, or 3 if there is a `rootID`: what Linux itself stores.
    public var value: [UInt8] {
        let revision: UInt32 = rootID == 0 ? 0x0200_0000 : 0x0300_0000
        var words = [revision | (isEffective ? Self.effectiveFlag : 0)]
        words += [UInt32(truncatingIfNeeded: permitted), UInt32(truncatingIfNeeded: inheritable)]
        words += [UInt32(truncatingIfNeeded: permitted >> 32), UInt32(truncatingIfNeeded: inheritable >> 32)]
        if rootID != 0 { words.append(rootID) }
        return words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    }

    // MARK: Text

    /// Why a text names no capabilities; goes after the text.
    public struct TextError: Error, Hashable, Sendable {
        /// A part of a sentence.
        public var reason: String
    }

    /// Reads clauses such as "cap_net_raw,cap_net_admin+ep" or "cap_chown=eip", with space between them.
    /// - Throws: `TextError` with the reason for a text without clauses, an unknown name or flag, and for
    ///   capabilities of which only some are effective.
    public init(parsing text: String) throws(TextError) {
        var effective: UInt64 = 0
        self.init()
        let clauses = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard !clauses.isEmpty else { throw TextError(reason: "it has no clause such as cap_net_raw+ep") }
        for clause in clauses {
            guard let start = clause.firstIndex(where: { "+-=".contains($0) }) else {
                throw TextError(reason: "\(clause) lacks flags: one of + - = and then of e, i, p, such as +ep")
            }
            let set = try Self.set(clause[..<start])
            var rest = clause[start...]
            while let operation = rest.popFirst() {
                let flags = rest.prefix { !"+-=".contains($0) }
                rest = rest.dropFirst(flags.count)
                if let odd = flags.first(where: { !"eip".contains($0) }) {
                    throw TextError(reason: "\(odd) is not a flag: there are e, i and p")
                }
                Self.apply(operation, flags.contains("p"), set, &permitted)
                Self.apply(operation, flags.contains("i"), set, &inheritable)
                Self.apply(operation, flags.contains("e"), set, &effective)
            }
        }
        guard effective == 0 || effective == permitted | inheritable else {
            throw TextError(reason: "a file's capabilities are effective all together or not at all")
        }
        isEffective = effective != 0
    }

    private static func apply(_ operation: Character, _ isNamed: Bool, _ set: UInt64, _ bits: inout UInt64) {
        switch operation {
        case "+": if isNamed { bits |= set }
        case "-": if isNamed { bits &= ~set }
        default: bits = isNamed ? bits | set : bits & ~set
        }
    }

    private static func set(_ list: Substring) throws(TextError) -> UInt64 {
        if list.isEmpty || list.lowercased() == "all" { return (1 << UInt64(names.count)) - 1 }
        var set: UInt64 = 0
        for name in list.split(separator: ",", omittingEmptySubsequences: false) {
            guard let bit = names.firstIndex(of: name.lowercased()) ?? Int(name), (0..<64).contains(bit) else {
                throw TextError(reason: "there is no capability \(name)")
            }
            set |= 1 << UInt64(bit)
        }
        return set
    }

    /// As getcap(8) prints it: "cap_net_raw=ep".
    public var text: String {
        var groups: [(flags: String, names: [String])] = []
        for bit in 0..<64 {
            let isPermitted = permitted >> UInt64(bit) & 1 != 0
            let isInheritable = inheritable >> UInt64(bit) & 1 != 0
            guard isPermitted || isInheritable else { continue }
            let flags = (isEffective ? "e" : "") + (isInheritable ? "i" : "") + (isPermitted ? "p" : "")
            let name = bit < Self.names.count ? Self.names[bit] : String(bit)
            if let index = groups.firstIndex(where: { $0.flags == flags }) {
                groups[index].names.append(name)
            } else {
                groups.append((flags, [name]))
            }
        }
        return groups.isEmpty
            ? "=" : groups.map { $0.names.joined(separator: ",") + "=" + $0.flags }.joined(separator: " ")
    }

    /// In the order of their bits.
    private static let names = [
        "cap_chown", "cap_dac_override", "cap_dac_read_search", "cap_fowner", "cap_fsetid", "cap_kill", "cap_setgid",
        "cap_setuid", "cap_setpcap", "cap_linux_immutable", "cap_net_bind_service", "cap_net_broadcast",
        "cap_net_admin", "cap_net_raw", "cap_ipc_lock", "cap_ipc_owner", "cap_sys_module", "cap_sys_rawio",
        "cap_sys_chroot", "cap_sys_ptrace", "cap_sys_pacct", "cap_sys_admin", "cap_sys_boot", "cap_sys_nice",
        "cap_sys_resource", "cap_sys_time", "cap_sys_tty_config", "cap_mknod", "cap_lease", "cap_audit_write",
        "cap_audit_control", "cap_setfcap", "cap_mac_override", "cap_mac_admin", "cap_syslog", "cap_wake_alarm",
        "cap_block_suspend", "cap_audit_read", "cap_perfmon", "cap_bpf", "cap_checkpoint_restore",
    ]
}
