internal import Glibc
internal import LinuxFiles

/// How far a long work has come, on standard error: a line that changes on a terminal, a new line now and then
/// elsewhere.
public final class ProgressLine {
    /// What is shown besides the bar.
    public struct State {
        /// 0...1; nil where the end isn't known.
        public var fraction: Double?
        /// The most important after the percentage and the time left.
        public var text: String
        /// What may be left out where the terminal is narrow; the most important is first.
        public var more: [String]

        /// What the line shows now.
        public init(fraction: Double? = nil, text: String, more: [String] = []) {
            self.fraction = fraction
            self.text = text
            self.more = more
        }
    }

    private let isEnabled: Bool
    private let isTerminal = System.isTerminal(2)
    private let start = ContinuousClock.now
    private var nextTime: ContinuousClock.Instant

    /// A line for work that begins now; shorter work shows none.
    /// - Parameter isEnabled: false for a command that is to be quiet, or that prints JSON.
    public init(isEnabled: Bool) {
        self.isEnabled = isEnabled
        // What takes less than this needs no display.
        nextTime = start + (isTerminal ? .milliseconds(300) : .seconds(10))
    }

    /// Since the work began.
    public var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }

    /// Shows how far the work has come, if it is time for that.
    /// - Parameter state: asked only when it is time to show it.
    public func show(_ state: () -> State) {
        guard isEnabled else { return }
        let now = ContinuousClock.now
        guard now >= nextTime else { return }
        nextTime = now + (isTerminal ? .milliseconds(100) : .seconds(10))
        if isTerminal {
            // Asked each time: the user may make the window larger or smaller.
            StandardError.stand(state().line(width: terminalWidth - 1, seconds: seconds))
        } else {
            StandardError.show(state().parts(seconds: seconds).joined(separator: ", ") + "\n")
        }
    }

    /// Removes the line, so that other text can follow.
    public func clear() {
        if isEnabled, isTerminal { StandardError.removeStandingLine() }
    }

    /// In characters. The corresponding C function is `ioctl` with TIOCGWINSZ.
    private var terminalWidth: Int {
        var size = winsize()
        guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return max(Int(size.ws_col), 2)
    }
}

extension ProgressLine.State {
    private static let maxBarWidth = 24

    /// As much as there is room for, and a bar where there is plenty.
    /// - Parameters:
    ///   - width: in characters.
    ///   - seconds: since the work began.
    func line(width: Int, seconds: Double) -> String {
        let barWidth = fraction == nil ? 0 : min(max((width - 56) / 2, 0), Self.maxBarWidth)
        let bar = barWidth < 6 ? "" : Self.bar(fraction ?? 0, barWidth)
        let room = width - bar.count
        var line = ""
        for part in parts(seconds: seconds) {
            let longer = line.isEmpty ? part : "\(line), \(part)"
            guard longer.count <= room else { break }
            line = longer
        }
        return bar + (line.isEmpty ? String(text.prefix(room)) : line)
    }

    /// The most important is first.
    func parts(seconds: Double) -> [String] {
        guard let known = self.fraction else { return [text] + more }
        let fraction = min(max(known, 0), 1)
        var parts = ["\(Int(fraction * 100))%"]
        // Early guesses are useless.
        if fraction > 0.02, fraction < 1, seconds > 1 {
            parts.append("\(Self.duration(seconds / fraction - seconds)) left")
        }
        return parts + [text] + more
    }

    private static func bar(_ fraction: Double, _ width: Int) -> String {
        let done = Int(min(max(fraction, 0), 1) * Double(width))
        return "[" + String(repeating: "#", count: done) + String(repeating: " ", count: width - done) + "] "
    }

    /// "8 s", "3 min 20 s", "1 h 5 min".
    private static func duration(_ seconds: Double) -> String {
        let seconds = Int(seconds.rounded(.up))
        if seconds < 60 { return "\(seconds) s" }
        if seconds < 3600 { return "\(seconds / 60) min \(seconds % 60) s" }
        return "\(seconds / 3600) h \(seconds / 60 % 60) min"
    }
}
