import P9Wire
import Testing
import USBHost

@testable import USBLink

/// Generates scripts that a seed repeats.
private struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

private func someMessage(_ dice: inout Dice, tag: UInt16) -> [UInt8] {
    switch Int.random(in: 0..<10, using: &dice) {
    case 0: version(msize: UInt32.random(in: 0...200_000, using: &dice))
    case 1...3: read(Int.random(in: 0...20_000, using: &dice), tag: tag)
    case 4: write(size: Int.random(in: 1...64, using: &dice) * 512, tag: tag)
    case 5: write(size: Int.random(in: 7...40_000, using: &dice), tag: tag)
    case 6: [UInt8](repeating: 0xff, count: Int.random(in: 0...600, using: &dice))
    default: clunk(tag: tag)
    }
}

private func someStep(_ dice: inout Dice, followsMounts: Bool, tag: UInt16) -> FakeBoard.Step {
    switch Int.random(in: 0..<100, using: &dice) {
    case 0..<40: .send(someMessage(&dice, tag: tag))
    case 40..<75: .take
    case 75..<80: .pass(Int.random(in: 0...3000, using: &dice))
    case 80: .begin(someMessage(&dice, tag: tag))
    case 81: .sip(Int.random(in: 0...1024, using: &dice))
    case 82:
        .endReply(
            [.completed, .failed, .cancelled].randomElement(using: &dice)!,
            taken: Int.random(in: 0...512, using: &dice)
        )  // not empty
    case 83: .endRequest([.completed, .failed].randomElement(using: &dice)!)  // not empty
    case 84..<87: .refuse(Bool.random(using: &dice) ? .requests : .replies, .noMemory)
    case 87: .refuse(Bool.random(using: &dice) ? .requests : .replies, .inputOutput)
    case 88..<91: .onCancel(someMessage(&dice, tag: tag), Bool.random(using: &dice) ? .completed : .cancelled)
    case 91: .stop
    case 92: .unplug(noticedAfter: Int.random(in: 0...1500, using: &dice))
    case 93..<96 where followsMounts: .unmount
    case 96... where followsMounts: .mount
    default: .pass(1)
    }
}

@Suite("Whatever happens")
struct RandomEventsTests {
    /// One valid reply to a request, none after one that was lost: `FakeBoard` looks at each. The link always ends.
    @Test("one valid reply each, and an end", arguments: [false, true])
    func randomEvents(followsMounts: Bool) throws {
        var ends: [LinkEnd: Int] = [:]
        var replies = 0
        for seed in 0..<1000 {
            var dice = Dice(seed: UInt64(seed))
            var script: [FakeBoard.Step] = followsMounts ? [.mount] : []
            if Bool.random(using: &dice) { script += [.send(version()), .take] }
            for tag in 0..<UInt16.random(in: 1...40, using: &dice) {
                script.append(someStep(&dice, followsMounts: followsMounts, tag: tag))
            }
            let stopsInside = Int.random(in: 0..<50, using: &dice)
            var count = 0
            let played = try play(script, followsMounts: followsMounts) { _, stop in
                count += 1
                if count == stopsInside { stop.request() }
            }
            if !played.board.violations.isEmpty {
                Issue.record("seed \(seed): \(script.map(\.description).joined(separator: ", "))")
                return
            }
            ends[played.end, default: 0] += 1
            replies += played.replies.count
        }
        // The scripts get everywhere.
        #expect(replies > 1500)
        #expect(ends.keys.contains(.stopped))
        #expect(ends.keys.contains(.gone(midRequest: false)) && ends.keys.contains(.gone(midRequest: true)))
        #expect(ends.keys.contains(.wedged(.requestLost)))
        #expect(followsMounts || ends.keys.contains(.wedged(.replyNotTaken)))
    }
}
