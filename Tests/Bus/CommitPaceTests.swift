import Testing

@testable import Bus

@Suite struct `The pace of a stage's transactions` {
    private let start = ContinuousClock.now

    @Test func `few records go at once`() {
        var pace = CommitPace(interval: .milliseconds(20))
        #expect(pace.wait(at: start) == .zero)
        pace.began(records: CommitPace.busyFrom - 1, at: start)
        #expect(pace.wait(at: start) == .zero)
    }

    @Test func `after many the next waits for its time, and no longer`() {
        var pace = CommitPace(interval: .milliseconds(20))
        pace.began(records: CommitPace.busyFrom, at: start)
        #expect(pace.wait(at: start) == .milliseconds(20))
        #expect(pace.wait(at: start + .milliseconds(15)) == .milliseconds(5))
        #expect(pace.wait(at: start + .milliseconds(20)) == .zero)
        #expect(pace.wait(at: start + .seconds(9)) == .zero)
        pace.began(records: 1, at: start + .milliseconds(20))
        #expect(pace.wait(at: start + .milliseconds(20)) == .zero)
    }

    @Test func `a full transaction is followed later`() {
        var pace = CommitPace(interval: .milliseconds(20))
        pace.began(records: CommitPace.fullFrom - 1, at: start)
        #expect(pace.wait(at: start) == .milliseconds(20))
        pace.began(records: CommitPace.fullFrom, at: start)
        #expect(pace.wait(at: start) == .milliseconds(50))
    }

    @Test func `without an interval nothing waits`() {
        var pace = CommitPace(interval: .zero)
        pace.began(records: 1_000, at: start)
        #expect(pace.wait(at: start) == .zero)
    }
}
