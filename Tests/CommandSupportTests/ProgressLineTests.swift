import Testing

@testable import CommandSupport

@Suite struct ProgressLineTests {
    private let state = ProgressLine.State(fraction: 0.5, text: "100 MiB of 200 MiB", more: ["10 MiB/s", "5 entries"])

    @Test func aWideTerminalHasRoomForAll() {
        #expect(
            state.line(width: 119, seconds: 10)
                == "[############            ] 50%, 10 s left, 100 MiB of 200 MiB, 10 MiB/s, 5 entries"
        )
    }

    @Test func aNarrowOneShowsTheMostImportant() {
        #expect(state.line(width: 40, seconds: 10) == "50%, 10 s left, 100 MiB of 200 MiB")
        #expect(state.line(width: 5, seconds: 10) == "50%")
        #expect(ProgressLine.State(text: "working hard").line(width: 7, seconds: 10) == "working")
        for width in 1...200 { #expect(state.line(width: width, seconds: 10).count <= width) }
    }

    @Test(arguments: [(0.01, 10.0), (0.5, 0.5), (1, 10)])
    func noGuessWhereItIsNoUse(_ fraction: Double, _ seconds: Double) {
        let parts = ProgressLine.State(fraction: fraction, text: "x").parts(seconds: seconds)
        #expect(parts.count == 2 && parts[1] == "x")
    }

    @Test(arguments: [(8.0, "8 s"), (200, "3 min 20 s"), (3900, "1 h 5 min")])
    func timeLeft(_ seconds: Double, _ text: String) {
        #expect(ProgressLine.State(fraction: 0.5, text: "").parts(seconds: seconds)[1] == "\(text) left")
    }

    @Test(arguments: [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3_565_158, "3.4 MiB"), (1 << 50, "1024.0 TiB")])
    func bytes(_ count: UInt64, _ text: String) {
        #expect(ByteCount(count).text == text)
    }

    @Test func seconds() {
        #expect(ByteCount.seconds(1.5) == "1.50" && ByteCount.seconds(0.04) == "0.04")
        #expect(ByteCount.seconds(12.349) == "12.35" && ByteCount.seconds(0) == "0.00")
    }
}
