internal import CommandSupport
internal import Glibc

/// The environment's SOURCE_DATE_EPOCH, as reproducible-builds.org specifies it.
public enum SourceDateEpoch {
    /// In seconds since 1970; nil if it isn't set.
    /// - Throws: `CommandFailure` unless it is such a number.
    public static func fromEnvironment() throws -> Int64? {
        try getenv("SOURCE_DATE_EPOCH").flatMap { try seconds(String(cString: $0)) }
    }

    static func seconds(_ text: String) throws -> Int64? {
        guard !text.isEmpty else { return nil }
        guard let seconds = Int64(text), seconds >= 0 else {
            throw CommandFailure(
                .badInput,
                "SOURCE_DATE_EPOCH is '\(text)', which is not a number of seconds since 1970",
                advice: "For example: SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)"
            )
        }
        return seconds
    }
}
