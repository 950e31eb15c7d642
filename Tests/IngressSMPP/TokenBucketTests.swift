import Ingress
import Testing

@testable import IngressSMPP

@Suite struct TokenBucketTests {
    @Test(arguments: [1, 7, 10, 25, 100, 1_000, 5_000])
    func `over ten seconds as many pass as the rate says, and a tenth of a second's worth at once`(rate: Int) {
        var bucket = TokenBucket(perSecond: Double(rate), now: 0)
        var passed = 0
        while bucket.take(1, now: 0) { passed += 1 }
        #expect(passed == max(1, rate / 10))
        var now: Int64 = 0
        while now < 10_000 {
            now += max(1, bucket.wait(now: now))
            while bucket.take(1, now: now) { passed += 1 }
        }
        #expect(abs(passed - rate * 10) <= max(2, rate / 5))
    }

    @Test func `the wait that it names is enough, and not a millisecond of it is too much`() {
        var bucket = TokenBucket(perSecond: 10, now: 5_000)
        let t1 = bucket.take(1, now: 5_000)
        #expect(t1)
        let wait = bucket.wait(now: 5_000)
        #expect(wait == 100)
        let t2 = bucket.take(1, now: 5_000 + wait - 1)
        #expect(!t2)
        let t3 = bucket.take(1, now: 5_000 + wait)
        #expect(t3)
    }

    @Test func `a batch goes as one, and those behind it wait the longer`() {
        var bucket = TokenBucket(perSecond: 10, now: 0)
        let t4 = bucket.take(50, now: 0)
        #expect(t4)
        let w9 = bucket.wait(now: 0)
        #expect(w9 == 5_000)
        let t5 = bucket.take(1, now: 4_900)
        #expect(!t5)
        let t6 = bucket.take(1, now: 5_000)
        #expect(t6)
    }

    @Test func `what was given back can be taken again, but silence saves nothing up`() {
        var bucket = TokenBucket(perSecond: 1, now: 0)
        var taken = [bucket.take(1, now: 0), bucket.take(1, now: 0)]
        bucket.giveBack(1)
        taken += [bucket.take(1, now: 0), bucket.take(1, now: 3_600_000), bucket.take(1, now: 3_600_000)]
        #expect(taken == [true, false, true, true, false])
    }

    @Test func `a clock that steps back makes nothing worse`() {
        var bucket = TokenBucket(perSecond: 100, now: 1_000)
        while bucket.take(1, now: 1_000) {}
        let t7 = bucket.take(1, now: 0)
        #expect(!t7)
        let t8 = bucket.take(1, now: 1_010)
        #expect(t8)
    }

    @Test func `a new rate counts from now on`() {
        var bucket = TokenBucket(perSecond: 1_000, now: 0)
        bucket.setRate(1, now: 0)
        let taken = [bucket.take(1, now: 0), bucket.take(1, now: 500), bucket.take(1, now: 1_000)]
        #expect(taken == [true, false, true])
    }

    @Test func `two gates let through only what both let through`() {
        let (account, connector) = (RateGate(limit: 1_000), RateGate(limit: 10))
        let gates = RateGates(account: account, connector: connector)
        var now = monotonic()
        #expect(gates.take(1, now: now))
        #expect(!gates.take(1, now: now))
        // The account's token was given back.
        var left = 0
        while account.take(1, now: now) { left += 1 }
        #expect(left == 99)
        now += gates.wait(now: now)
        #expect(gates.take(1, now: now))
    }

    @Test func `an instance gets its part of the rate`() {
        let parts = [(here: 1, all: 1), (1, 4), (3, 4), (0, 3), (2, 0)].map(SessionRegistry.part)
        #expect(parts == [1, 0.25, 0.75, 1.0 / 3, 1])
    }

    private func monotonic() -> Int64 { 1_000_000_000_000 }
}
