import Testing

@testable import Bus

@Suite struct `An offset tracker` {
    @Test func `commits the oldest open record and notes what is done above it`() {
        var tracker = OffsetTracker(committed: 10, note: "")
        for offset in Int64(10)..<16 { _ = tracker.claim(offset) }
        tracker.complete(12)
        tracker.complete(14)
        #expect(tracker.position.offset == 10)
        #expect(!tracker.position.note.isEmpty)
        tracker.complete(10)
        #expect(tracker.position.offset == 11)
        for offset in [Int64(11), 13, 15] { tracker.complete(offset) }
        #expect(tracker.position.offset == 16)
        #expect(tracker.position.note.isEmpty)
    }

    @Test func `a successor passes over what its predecessor had done`() {
        var first = OffsetTracker(committed: -1, note: "")
        for offset in Int64(0)..<100 { _ = first.claim(offset) }
        for offset in stride(from: Int64(1), to: 100, by: 2) { first.complete(offset) }
        let position = first.position
        var second = OffsetTracker(committed: position.offset, note: position.note)
        let claimed = (Int64(0)..<100).filter { second.claim($0) }
        #expect(claimed == Array(stride(from: Int64(0), to: 100, by: 2)))
    }

    @Test func `gaps in the offsets, left by control records, hold nothing up`() {
        var tracker = OffsetTracker(committed: 5, note: "")
        let claimed = [tracker.claim(7), tracker.claim(20)]
        #expect(claimed == [true, true])
        tracker.complete(7)
        #expect(tracker.position.offset == 20)
        tracker.complete(20)
        #expect(tracker.position.offset == 21)
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `whatever the order of completion and the place of the crash, nothing is done twice and nothing is left out`(seed: UInt64) {
        var random = SplitMix(state: seed)
        var done: Set<Int64> = []
        var committed: (offset: Int64, note: String) = (0, "")
        let end: Int64 = 300
        while committed.offset < end {
            var tracker = OffsetTracker(committed: committed.offset, note: committed.note)
            var open: [Int64] = []
            var next = committed.offset
            for _ in 0..<Int.random(in: 1...120, using: &random) {
                if next < end, Bool.random(using: &random) {
                    if tracker.claim(next) { open.append(next) }
                    next += 1
                } else if !open.isEmpty {
                    let offset = open.remove(at: Int.random(in: 0..<open.count, using: &random))
                    #expect(done.insert(offset).inserted, "offset \(offset) was done twice")
                    tracker.complete(offset)
                }
            }
            committed = tracker.position  // the crash comes right after a commit
        }
        #expect(done.count == Int(end))
    }

    @Test func `a span at its limit fits the note that Kafka keeps`() {
        var tracker = OffsetTracker(committed: 0, note: "")
        for offset in 0..<OffsetTracker.maxSpan { _ = tracker.claim(offset) }
        for offset in 1..<OffsetTracker.maxSpan { tracker.complete(offset) }
        #expect(tracker.position.offset == 0)
        #expect(tracker.position.note.utf8.count <= 4_096)
        #expect(tracker.span == OffsetTracker.maxSpan)
    }

    @Test func `a note that is no base64 counts for nothing`() {
        var tracker = OffsetTracker(committed: 3, note: "%%%")
        let claimed = [tracker.claim(3), tracker.claim(4)]
        #expect(claimed == [true, true])
    }
}

/// A small generator with a seed, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
