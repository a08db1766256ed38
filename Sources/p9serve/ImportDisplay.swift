import CommandSupport
import LinuxFiles
import RootfsImage

/// How far an import has come, on standard error: a line that changes on a terminal, a new line now and then elsewhere.
final class ImportDisplay {
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

    func show(_ progress: ImportProgress) {
        guard isEnabled else { return }
        let now = ContinuousClock.now
        guard now >= nextTime else { return }
        nextTime = now + (isTerminal ? .milliseconds(100) : .seconds(10))
        let line = describe(progress, seconds: (now - start) / .seconds(1))
        // Back to the line's beginning; what was longer before is erased.
        StandardError.write(isTerminal ? "\r\(line)\u{1b}[K" : line + "\n")
        isShown = true
    }

    /// Removes the line, so that other text can follow.
    func clear() {
        if isShown, isTerminal { StandardError.write("\r\u{1b}[K") }
    }

    private func describe(_ progress: ImportProgress, seconds: Double) -> String {
        let read = ByteCount(progress.archiveBytes).text
        let rate = ByteCount(UInt64(Double(progress.archiveBytes) / max(seconds, 0.001))).text
        let rest = "\(rate)/s, \(progress.entries) entries"
        guard let size = progress.archiveSize, size > 0 else { return "\(read) read, \(rest)" }
        let percent = Int(min(progress.archiveBytes * 100 / size, 100))
        return "\(isTerminal ? bar(percent) : "")\(percent)%, \(read) of \(ByteCount(size).text), \(rest)"
    }

    private func bar(_ percent: Int) -> String {
        let done = percent * Self.barWidth / 100
        return "[" + String(repeating: "#", count: done) + String(repeating: " ", count: Self.barWidth - done) + "] "
    }
}
