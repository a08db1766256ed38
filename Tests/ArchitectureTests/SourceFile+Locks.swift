import Glibc

extension SourceFile {
    /// "Type.name" of each mutex and monitor that the file declares, "flock(Type)" of each file lock that it takes.
    var locks: Set<String> {
        var names: Set<String> = []
        for index in lines.indices where Self.mayHaveLock(lines[index]) {
            let code = Self.withoutComment(lines[index])
            guard let type = type(ofLine: index) else { continue }
            if let match = code.firstMatch(of: /\b(?:let|var) (\w+)\b.*\b(?:Mutex|Monitor)\b/) {
                names.insert("\(type).\(match.1)")
            }
            if code.contains(/\bSystem\.(?:tryLock|lock)\(/) { names.insert("flock(\(type))") }
        }
        return names
    }

    /// The lines with locks that `locks` does not see.
    var otherLocks: [Substring] {
        let others = /\b(?:pthread_(?:mutex|rwlock|spin|cond)_|sem_(?:init|wait)|NSLock|F_(?:OFD_)?SETLK|flock\()/
        return lines.filter { Self.mayHaveLock($0) && Self.withoutComment($0).contains(others) }
    }

    /// Whether a line is worth a closer look, which takes long.
    private static func mayHaveLock(_ line: Substring) -> Bool {
        let text = String(line)
        let marks: [String] = ["Mutex", "Monitor", "ock(", "pthread_", "sem_", "NSLock", "SETLK"]
        return marks.contains { strstr(text, $0) != nil }
    }

    /// The type that a line belongs to: of the declarations above it, the nearest one that is indented less.
    private func type(ofLine index: Int) -> String? {
        var indentation = Self.indentation(lines[index])
        for line in lines[..<index].reversed() {
            guard !line.allSatisfy(\.isWhitespace), Self.indentation(line) < indentation else { continue }
            indentation = Self.indentation(line)
            let code = Self.withoutComment(line)
            if let match = code.firstMatch(of: /\b(?:class|struct|enum|actor|extension) (\w+)/) {
                return String(match.1)
            }
        }
        return nil
    }

    private static func indentation(_ line: Substring) -> Int { line.prefix { $0 == " " }.count }

    private static func withoutComment(_ line: Substring) -> Substring {
        line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line
    }
}
