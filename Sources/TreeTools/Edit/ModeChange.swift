/// What `chmod` is told: an octal mode, or clauses such as "u+s,go-w".
public struct ModeChange: CustomStringConvertible {
    private enum Clause {
        /// `isWhole`: written with five digits, such as 00755.
        case octal(UInt32, isWhole: Bool)
        /// `who` is a mask over the rwx bits and their special bits.
        case symbolic(who: UInt32, operation: Character, permissions: Substring)
    }

    /// As it was written.
    public let description: String
    private let clauses: [Clause]

    /// Reads a mode as chmod(1) takes it: octal, or clauses such as `u+s,go-w`.
    /// - Returns: nil unless it is a mode.
    public init?(argument: String) {
        description = argument
        if !argument.isEmpty, argument.allSatisfy({ "01234567".contains($0) }) {
            guard let mode = UInt32(argument, radix: 8), mode <= 0o7777 else { return nil }
            clauses = [.octal(mode, isWhole: argument.utf8.count > 4)]
            return
        }
        var clauses: [Clause] = []
        for clause in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let start = clause.firstIndex(where: { "+-=".contains($0) }),
                let who = Self.mask(clause[..<start])
            else { return nil }
            var rest = clause[start...]
            while let operation = rest.popFirst() {
                let permissions = rest.prefix { !"+-=".contains($0) }
                guard permissions.allSatisfy({ "rwxXstugo".contains($0) }) else { return nil }
                clauses.append(.symbolic(who: who, operation: operation, permissions: permissions))
                rest = rest.dropFirst(permissions.count)
            }
        }
        guard !clauses.isEmpty else { return nil }
        self.clauses = clauses
    }

    /// No letter means everybody: chmod(1) would use the umask, which is not the board's.
    private static func mask(_ who: Substring) -> UInt32? {
        if who.isEmpty { return 0o7777 }
        var mask: UInt32 = 0
        for letter in who {
            switch letter {
            case "u": mask |= 0o4700
            case "g": mask |= 0o2070
            case "o": mask |= 0o1007
            case "a": mask |= 0o7777
            default: return nil
            }
        }
        return mask
    }

    /// The mode that comes of an old one; permission, setuid, setgid and sticky bits.
    public func apply(to old: UInt32, isDirectory: Bool) -> UInt32 {
        var mode = old
        for clause in clauses {
            switch clause {
            case .octal(let value, let isWhole):
                // As chmod(1): a directory's setuid and setgid bits go only if all digits are there.
                mode = value | (isDirectory && !isWhole ? mode & 0o6000 : 0)
            case .symbolic(let who, let operation, let permissions):
                let bits = Self.bits(permissions, who, mode, isDirectory)
                switch operation {
                case "+": mode |= bits
                case "-": mode &= ~bits
                default:
                    // As chmod(1): "=" leaves a directory's setuid and setgid bits alone unless they are named.
                    let kept: UInt32 = isDirectory ? 0o6000 & mode : 0
                    mode = mode & ~who | bits | kept
                }
            }
        }
        return mode & 0o7777
    }

    private static func bits(
        _ permissions: Substring,
        _ who: UInt32,
        _ mode: UInt32,
        _ isDirectory: Bool
    ) -> UInt32 {
        var bits: UInt32 = 0
        for letter in permissions {
            switch letter {
            case "r": bits |= 0o444 & who
            case "w": bits |= 0o222 & who
            case "x": bits |= 0o111 & who
            case "X": if isDirectory || mode & 0o111 != 0 { bits |= 0o111 & who }
            case "s": bits |= 0o6000 & who
            // The sticky bit is everybody's or nobody's: with "t", "o" or no letter at all.
            case "t": bits |= 0o1000 & who
            case "u": bits |= (mode >> 6 & 7) * 0o111 & who
            case "g": bits |= (mode >> 3 & 7) * 0o111 & who
            default: bits |= (mode & 7) * 0o111 & who
            }
        }
        return bits
    }
}
