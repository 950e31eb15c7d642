import Configuration
import Egress
import Testing

@testable import EgressHTTP

struct `Reaching a provider` {
    @Test func `one request tries, and the first answer opens the window`() {
        var reach = Reach(OutgoingOptions())
        #expect(reach.room(window: 10, now: 0) == 1)
        let isNews = reach.answered()
        #expect(isNews && reach.room(window: 10, now: 0) == 10)
        let isNewsAgain = reach.answered()
        #expect(!isNewsAgain)
    }

    @Test func `those that fail together count once, and each further failure waits longer`() {
        var reach = Reach(OutgoingOptions())
        _ = reach.answered()
        for _ in 0..<10 { reach.failed("refused", now: 1_000, chance: 0) }
        #expect(reach.isDown && reach.retryAt == 1_200 && reach.trouble == "refused")
        #expect(reach.room(window: 10, now: 1_199) == 0 && reach.room(window: 10, now: 1_200) == 1)
        reach.failed("refused", now: 1_200, chance: 0)
        #expect(reach.retryAt == 1_600)
        var waits: [Int64] = []
        for _ in 0..<12 {
            let now = reach.retryAt
            reach.failed("refused", now: now, chance: 0)
            waits.append(reach.retryAt - now)
        }
        #expect(waits.last == 7_000 && waits == waits.sorted())
        _ = reach.answered()
        #expect(!reach.isDown && reach.trouble == "")
        reach.failed("again", now: 100_000, chance: 0)
        #expect(reach.retryAt == 100_200)
    }

    @Test func `an operator need not wait`() {
        var reach = Reach(OutgoingOptions())
        reach.failed("refused", now: 1_000, chance: 1)
        reach.hurry()
        #expect(reach.room(window: 5, now: 1_000) == 1)
    }
}

struct `Limits of sending` {
    @Test func `a rate says when there is room again`() {
        var limits = SendLimits(perSecond: 10, now: 0)
        #expect(limits.take(now: 0) == nil)
        #expect(limits.take(now: 0) == 100)
        #expect(limits.take(now: 99) != nil)
        #expect(limits.take(now: 100) == nil)
        limits.giveBack()
        #expect(limits.take(now: 100) == nil)
    }

    @Test func `a complaint pauses, and then paces`() {
        var limits = SendLimits(perSecond: nil, now: 0)
        for now in 0..<200 {
            #expect(limits.take(now: Int64(now)) == nil)
            limits.accepted(now: Int64(now))
        }
        limits.throttled(now: 200)
        #expect(limits.take(now: 200) == 300)
        #expect(limits.throttledTo.map { $0 > 100 && $0 < 1_000 } ?? false)
        // Paced: what leaves at once after the pause is a small part of a second's worth.
        var burst = 0
        while limits.take(now: 300) == nil, burst < 1_000 { burst += 1 }
        #expect((1...20).contains(burst))
        limits.tick(now: 70_000)
        #expect(limits.throttledTo == nil)
    }
}
