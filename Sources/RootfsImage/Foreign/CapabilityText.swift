/// Capabilities as `cap_from_text(3)` takes them, such as "cap_net_raw+ep", and as the value of `security.capability`.
struct CapabilityText {
    private var permitted: UInt64 = 0
    private var inheritable: UInt64 = 0
    private var isEffective = false

    /// In the order of their numbers, Linux 6.
    private static let names = [
        "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
        "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
        "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
        "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
        "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
        "checkpoint_restore",
    ]

    /// Adds a clause: names joined by commas, or "all" or nothing for all of them, then one or more of `=`, `+`, `-`, each
    /// with the letters e, i, p.
    /// - Returns: false for what is no clause; nothing is changed then.
    mutating func add(_ clause: some Collection<UInt8>) -> Bool {
        var result = self
        let text = String(decoding: clause, as: UTF8.self).lowercased()
        let list = text.prefix { !"=+-".contains($0) }
        var rest = text[list.endIndex...]
        guard !rest.isEmpty, let mask = Self.mask(list) else { return false }
        while let operation = rest.popFirst() {
            let flags = rest.prefix { "eip".contains($0) }
            rest = rest[flags.endIndex...]
            guard "=+-".contains(operation) else { return false }
            if operation == "=" {
                result.permitted &= ~mask
                result.inheritable &= ~mask
                result.isEffective = false
            }
            let isSet = operation != "-"
            for flag in flags {
                switch flag {
                case "p": result.permitted = isSet ? result.permitted | mask : result.permitted & ~mask
                case "i": result.inheritable = isSet ? result.inheritable | mask : result.inheritable & ~mask
                // A file has one effective bit for all its capabilities.
                default: result.isEffective = isSet
                }
            }
        }
        self = result
        return true
    }

    private static func mask(_ list: Substring) -> UInt64? {
        if list.isEmpty || list == "all" { return 1 << UInt64(names.count) - 1 }
        var mask: UInt64 = 0
        for name in list.split(separator: ",", omittingEmptySubsequences: false) {
            if name.hasPrefix("cap_"), let number = names.firstIndex(of: String(name.dropFirst(4))) {
                mask |= 1 << UInt64(number)
            } else if let number = UInt64(name), number < 64 {
                mask |= 1 << number
            } else {
                return nil
            }
        }
        return mask
    }

    /// The text for a value of `security.capability`.
    /// - Returns: nil for what is none, or can't be said so: one with a root id of its own.
    static func text(_ value: [UInt8]) -> String? {
        guard value.count == 20, value[3] == 2 else { return nil }
        func word(_ offset: Int) -> UInt64 { (0..<4).reduce(0) { $0 | UInt64(value[offset + $1]) << (8 * UInt64($1)) } }
        let permitted = word(4) | word(12) << 32
        let inheritable = word(8) | word(16) << 32
        let effective = value[0] & 1 != 0
        var clauses: [String] = []
        for number in 0..<UInt64(64) {
            let flags =
                (effective && (permitted | inheritable) >> number & 1 != 0 ? "e" : "")
                + (inheritable >> number & 1 != 0 ? "i" : "") + (permitted >> number & 1 != 0 ? "p" : "")
            guard permitted >> number & 1 != 0 || inheritable >> number & 1 != 0 else { continue }
            let name = number < UInt64(names.count) ? "cap_\(names[Int(number)])" : "\(number)"
            clauses.append("\(name)+\(flags)")
        }
        return clauses.isEmpty ? nil : clauses.joined(separator: " ")
    }

    /// The value of `security.capability`: VFS_CAP_REVISION_2, as `linux/capability.h` lays it out.
    var value: [UInt8] {
        let magic: UInt32 = 0x0200_0000 | (isEffective ? 1 : 0)
        let words: [UInt32] = [
            magic, UInt32(truncatingIfNeeded: permitted), UInt32(truncatingIfNeeded: inheritable),
            UInt32(permitted >> 32), UInt32(inheritable >> 32),
        ]
        return words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    }
}
