/// The error that ends a command: what happened and on what, and what the user can do next.
public struct CommandFailure: Error, Hashable, Sendable {
    public var cause: ExitCause
    /// One sentence without the program's name and without a full stop, such as
    /// "no permission to open /dev/bus/usb/002/067".
    public var message: String
    /// What to do next, in whole lines; nil where there is nothing to say.
    public var advice: String?

    public init(_ cause: ExitCause, _ message: String, advice: String? = nil) {
        self.cause = cause
        self.message = message
        self.advice = advice
    }
}
