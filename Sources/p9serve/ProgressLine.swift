import CommandSupport
import Glibc
import LinuxFiles

/// How far a long work has come, on standard error: a line that changes on a terminal, a new line now and then
/// elsewhere.
final class ProgressLine {
    /// What is shown besides the bar.
    struct State {
        /// 0...1; nil where the end isn't known.
        var fraction: Double?
        var text: String
    }

    private let isEnabled: Bool
    private let isTerminal = System.isTerminal(2)
    private let start = ContinuousClock.now
    private var nextTime: ContinuousClock.Instant
    private var isShown = false

    private static let barWidth = 24

    init(isEnabled: Bool) {
        self.isEnabled = isEnabled
        // What takes less than this needs no display.
        nextTime = start + (isTerminal ? .milliseconds(300) : .seconds(10))
    }

    var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }

    /// - Parameter state: asked only when it is time to show it.
    func show(_ state: () -> State) {
        guard isEnabled else { return }
        let now = ContinuousClock.now
        guard now >= nextTime else { return }
        nextTime = now + (isTerminal ? .milliseconds(100) : .seconds(10))
        let line = line(state())
        // Back to the line's beginning; what was longer before is erased.
        StandardError.show(isTerminal ? "\r\(line.prefix(terminalWidth - 1))\u{1b}[K" : line + "\n")
        isShown = true
    }

    /// Removes the line, so that other text can follow.
    func clear() {
        if isShown, isTerminal { StandardError.write("\r\u{1b}[K") }
    }

    private func line(_ state: State) -> String {
        guard let known = state.fraction else { return state.text }
        let fraction = min(max(known, 0), 1)
        let percent = "\(Int(fraction * 100))%, "
        var line = (isTerminal ? bar(fraction) : "") + percent + state.text
        // Early guesses are no use.
        if fraction > 0.02, seconds > 1 { line += ", \(Self.duration(seconds / fraction - seconds)) left" }
        return line
    }

    private func bar(_ fraction: Double) -> String {
        let done = Int(fraction * Double(Self.barWidth))
        return "[" + String(repeating: "#", count: done) + String(repeating: " ", count: Self.barWidth - done) + "] "
    }

    /// "8 s", "3 min 20 s", "1 h 5 min".
    private static func duration(_ seconds: Double) -> String {
        let seconds = Int(seconds.rounded(.up))
        if seconds < 60 { return "\(seconds) s" }
        if seconds < 3600 { return "\(seconds / 60) min \(seconds % 60) s" }
        return "\(seconds / 3600) h \(seconds / 60 % 60) min"
    }

    /// In characters. The corresponding C function is `ioctl` with TIOCGWINSZ.
    private var terminalWidth: Int {
        var size = winsize()
        guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else { return 80 }
        return Int(size.ws_col)
    }
}
