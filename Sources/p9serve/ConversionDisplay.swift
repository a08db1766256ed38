import CommandSupport
import LinuxFiles

/// How far a conversion has come, on standard error: a line that changes on a terminal, a new line now and then elsewhere.
final class ConversionDisplay {
    private let isEnabled: Bool
    private let isTerminal = System.isTerminal(2)
    private var nextTime: ContinuousClock.Instant
    private var isShown = false

    init(isEnabled: Bool) {
        self.isEnabled = isEnabled
        // What takes less than this needs no display.
        nextTime = .now + (isTerminal ? .milliseconds(300) : .seconds(10))
    }

    /// - Parameter pass: what is being done, such as "describing".
    func show(_ pass: String, _ files: Int) {
        // The clock is slower than most files are.
        guard isEnabled, files % 64 == 0, ContinuousClock.now >= nextTime else { return }
        nextTime = .now + (isTerminal ? .milliseconds(100) : .seconds(10))
        let line = "\(pass), \(files) files"
        StandardError.write(isTerminal ? "\r\(line)\u{1b}[K" : line + "\n")
        isShown = true
    }

    /// Removes the line, so that other text can follow.
    func clear() {
        if isShown, isTerminal { StandardError.write("\r\u{1b}[K") }
    }
}
