public import LinuxFiles

/// Why an import or an export ended early. Nothing is left at the destination then.
public struct ImageError: Error, Hashable, Sendable {
    /// What kind of failure it is; the command lines make an exit code of it.
    public enum Code: Hashable, Sendable {
        /// The archive is damaged, cut short, or in no format we read.
        case badArchive
        /// The archive asks for something that must not or can't be done, such as a path with "..".
        case refusedEntry
        /// The archive or the destination's parent does not exist.
        case notFound
        case permission
        /// The destination is there already and holds something, or can't be a destination at all.
        case badDestination
        /// Another process is making the destination.
        case busy
        /// The destination's file system can't hold extended attributes.
        case unsupportedFileSystem
        case noSpace
        /// The tree was written to while it was exported.
        case treeChanged
        case cancelled
        /// A system call failed, and none of the codes above says how; see `cause`.
        case system
    }

    /// What kind of failure it is.
    public var code: Code
    /// One sentence without a full stop. Bytes of an archive that a terminal would act on are escaped.
    public var message: String
    /// What to do next, in whole lines; nil where there is nothing to say.
    public var hint: String?
    /// The error of the system call, if it was one.
    public var cause: Errno?

    /// An error of one kind, in words for a user.
    /// - Parameter hint: what to do next.
    public init(_ code: Code, _ message: String, hint: String? = nil, cause: Errno? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
        self.cause = cause
    }

    /// The error for a system call that failed.
    /// - Parameter action: what was being done, to go before ": No such file or directory".
    package init(_ action: String, _ cause: Errno) {
        let (code, hint): (Code, String?) =
            switch cause {
            case .ENOENT, .ENOTDIR: (.notFound, nil)
            case .EACCES, .EPERM, .EROFS: (.permission, nil)
            case .ENOSPC, .EDQUOT: (.noSpace, "Free some space, or write to another disk.")
            default: (.system, nil)
            }
        self.init(code, "\(action): \(cause.text)", hint: hint, cause: cause)
    }
}

extension ImageError {
    /// Runs a system call.
    /// - Parameter action: what is being done, as for `init(_:_:)`.
    /// - Throws: `notFound`, `permission`, `noSpace` or `system`, by the errno, with the errno as `cause`.
    package static func attempt<Result: ~Copyable>(
        _ action: @autoclosure () -> String,
        _ body: () throws(Errno) -> Result
    ) throws(ImageError) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw ImageError(action(), error)
        }
    }

    /// The error for more content than the user allows.
    /// - Parameter name: of the entry or the source, printable.
    package static func tooLarge(_ name: String, limit: UInt64) -> ImageError {
        ImageError(
            .refusedEntry,
            "refused \(name): with it the content is larger than the \(limit) bytes allowed",
            hint: "If the source can be trusted, allow more with --max-size."
        )
    }

    private static let importHint =
        "Such an archive can't become a root filesystem; make it again without this entry."

    /// The error for an entry that a format to export to can't hold.
    package var ofExport: ImageError {
        guard code == .refusedEntry, hint == Self.importHint else { return self }
        var error = self
        error.hint = "Leave it out with --exclude, or choose another format."
        return error
    }

    /// The error for an entry that must not or can't be made.
    /// - Parameters:
    ///   - name: the entry's path, printable.
    ///   - reason: goes after it.
    ///   - hint: nil for the usual one.
    package static func refused(
        _ name: String,
        _ reason: String,
        hint: String? = nil
    ) -> ImageError {
        ImageError(.refusedEntry, "refused \(name): \(reason)", hint: hint ?? importHint)
    }
}
